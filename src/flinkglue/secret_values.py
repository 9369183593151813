"""Secrets as people paste them: blanks around them go, and what cannot be sent is refused. Pure.

No error repeats any part of a secret.
"""

from __future__ import annotations

from pydantic import SecretStr

MOST_CHARACTERS = 65536
_MASK = "*" * 8
"""As Prefect's server shows every secret: a form that was opened and saved may give it back."""


def pasted(secret: SecretStr) -> SecretStr:
    """A secret without the blanks and the line end that came along when it was copied.

    Raises:
        ValueError: Nothing is left, it has control characters, or is a page's mask of a secret.
    """
    value = secret.get_secret_value().strip()
    if not value or len(value) > MOST_CHARACTERS:
        raise ValueError("it is empty, or longer than 65536 characters")
    if value == _MASK:
        raise ValueError(
            "it is what a page shows instead of a secret, saved by Prefect's form v2; give the "
            "secret itself, or pick its block again in the form v1"
        )
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
