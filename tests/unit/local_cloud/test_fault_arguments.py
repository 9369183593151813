"""Fault commands get texts from a command line, and what Python callers send as it is."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.responses import Response

from localcloud.azure import blob_operations
from localcloud.supervision.arguments import typed
from localcloud.web.wire import FaultBook, FaultKind


def command(
    name: str,
    value: str | None = None,
    kind: FaultKind = "error",
    leave: int = 0,
    after_seconds: float | None = 0,
    run: bool = False,
    **others: str | None,
) -> None:
    """One of every kind of argument."""


@pytest.mark.parametrize(
    ("name", "given", "taken"),
    [
        ("name", "12345", "12345"),
        ("name", "null", "null"),
        ("value", "0012345", "0012345"),
        ("value", "[1]", "[1]"),
        ("value", "null", None),
        ("kind", "delay", "delay"),
        ("leave", "3", 3),
        ("leave", "many", "many"),
        ("after_seconds", "0.5", 0.5),
        ("after_seconds", "null", None),
        ("run", "false", False),
        ("status", "17", "17"),
        ("status", "null", None),
        ("leave", 3, 3),
        ("name", 3, 3),
    ],
)
def test_a_text_becomes_what_the_command_takes(name: str, given: Any, taken: Any) -> None:
    """A secret of digits stays a text; a number that is none is left for the command to refuse."""
    assert typed(command, {name: given}) == {name: taken}


def test_blob_storage_throttles_with_503() -> None:
    """Clients of Azure Storage know ServerBusy, and no 429."""
    refusal = blob_operations.refuse(FaultBook().add("blob:*", "throttle"), {})
    assert isinstance(refusal, Response)
    assert refusal.status_code == 503
    assert refusal.headers["x-ms-error-code"] == "ServerBusy"
    assert b"<Code>ServerBusy</Code>" in refusal.body
