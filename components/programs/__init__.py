"""What runs in containers and takes more than a few lines of shell.

Each file is a program of a sidecar's or of a check's, or what several of them use; `parts.program`
makes one text of a program and what it imports from here. They need Python 3.11 and its standard
library, and to issue certificates openssl, as images named python have it.
"""
