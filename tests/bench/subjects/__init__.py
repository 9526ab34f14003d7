"""The programs that are timed, each as a process of its own."""
