"""A request as it is written down, and how it differs from another. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flinkglue.lifecycle.journal.records import document_of, value_of
from flinkglue.lifecycle.models import JobSpec
from flinkglue.lifecycle.request.action import ActionRequest


def request_document(intent: str, request: ActionRequest, spec: JobSpec | None) -> dict[str, Any]:
    """All of a request, as a fact of an entry: what its intent goes on with."""
    return {
        "intent": intent,
        "action": request.action.value,
        "job_name": request.job_name,
        "spec": document_of(spec) if spec else None,
        "savepoint_path": request.savepoint_path,
        "job_id": request.job_id,
        "drain": request.drain,
        "take_over": request.take_over,
        "without_state": request.without_state,
    }


def changed_field(known: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The first field that an intent requested otherwise before; empty: there is none.

    Args:
        known: The document of its request, as it was written down.
        now: That of what it requests now. To take a job over is not what is requested of it.
    """
    fields = (name for name in now if name != "take_over")
    return next((name for name in fields if not _is_same(known.get(name), now[name])), "")


def _is_same(known: Any, value: Any) -> bool:
    """Whether a field was the same before; an earlier release knew fewer fields."""
    if known is None or isinstance(known, str | bool):
        return bool((known or None) == (value or None))
    return isinstance(value, dict) and value_of(JobSpec, known) == value_of(JobSpec, value)
