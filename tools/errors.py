"""What the commands say when they can't go on."""


class CommandError(Exception):
    """One clear message for a person: what is wrong, and what to do."""
