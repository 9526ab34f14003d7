"""Others' text, made fit for a terminal or a page."""


def printable(text: str) -> str:
    """Manifests and containers may say anything; nobody should get their control characters."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "�" for letter in text)
