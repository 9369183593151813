"""Java stack traces, as Flink and ARM pass them on. Pure."""

from __future__ import annotations

NO_REASON = "no reason given"
_CAUSE = "Caused by:"
# Flink's REST API wraps a stack trace into lines of its own.
_ENVELOPE = ("Internal server error.", "<Exception on server side:", "End of exception on server")


def last_cause(text: str | None) -> str | None:
    """The last ``Caused by:``, else the first line that says something; None when none does."""
    lines = [line.strip() for line in (text or "").splitlines() if line.strip()]
    causes = [line.removeprefix(_CAUSE).strip() for line in lines if line.startswith(_CAUSE)]
    told = causes[::-1] or [line for line in lines if not line.startswith(_ENVELOPE)]
    return next(iter(told), None)
