"""What Glue answers when it refuses a call."""

from __future__ import annotations


class GlueError(Exception):
    """A refused call.

    Args:
        code: The error code of Glue's API, for example ``EntityNotFoundException``.
        message: The text that the client sees.
        status: The HTTP status.
    """

    def __init__(self, code: str, message: str, *, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def invalid_input(message: str) -> GlueError:
    """The input is well-formed and still not acceptable."""
    return GlueError("InvalidInputException", message)


def entity_not_found(message: str) -> GlueError:
    """A named thing does not exist."""
    return GlueError("EntityNotFoundException", message)
