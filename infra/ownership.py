"""Whether something exists, and whether it is this stack's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

GONE = (
    "EntityNotFoundException", "NoSuchEntity", "NoSuchBucket", "404", "NoSuchTagSet",
    "NoSuchEntityException",
)  # fmt: skip


class NotOurs(Exception):
    """A resource of the wanted name exists and belongs to somebody else."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} exists and was not made by this stack; choose another name.")


def present(read: Callable[[], Any]) -> Any:
    """The answer; None when there is no such thing."""
    try:
        return read()
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in GONE:
            return None
        raise
