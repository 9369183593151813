"""Secrets as people paste them: blanks around them go, and what cannot be sent is refused. Pure.

No error repeats any part of a secret.
"""

from __future__ import annotations

from pydantic import SecretStr

MOST_CHARACTERS = 65536


def pasted(secret: SecretStr) -> SecretStr:
    """A secret without the blanks and the line end that came along when it was copied.

    Raises:
        ValueError: Nothing is left, or it has control characters.
    """
    value = secret.get_secret_value().strip()
    if not value or len(value) > MOST_CHARACTERS:
        raise ValueError("it is empty, or longer than 65536 characters")
    if not value.isprintable():
        raise ValueError("give one line of printable characters; it has others")
    return SecretStr(value)


def for_a_header(secret: SecretStr) -> SecretStr:
    """The same for a secret that stands in a header of a request, such as a bearer token.

    Raises:
        ValueError: It has other characters than a header takes.
    """
    checked = pasted(secret)
    value = checked.get_secret_value()
    if value.lower().startswith("bearer "):
        raise ValueError("give the token without the word Bearer")
    if not value.isascii() or " " in value:
        raise ValueError("give a token of ASCII characters without spaces; it has others")
    return checked


def whole_header(secret: SecretStr) -> SecretStr:
    """The same for all that a header says, such as ``Bearer`` and a token.

    Raises:
        ValueError: It has other characters than a header takes.
    """
    checked = pasted(secret)
    if not checked.get_secret_value().isascii():
        raise ValueError("give ASCII characters; it has others")
    return checked
