"""How far a job is behind its sources. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from flinkglue.texts import duration_in_words

NOT_REPORTED = "–"


@dataclass(frozen=True)
class SourceLag:
    """How far a job is behind its sources, as far as they report it.

    Args:
        pending_records: Records that its sources have not fetched yet; None: not reported.
        pending_at_least: Whether there may be more: a source reports its worst partition alone.
        event_time_seconds: How old the newest record was when it was emitted, by its event time,
            in the source that is furthest behind; None: not reported.
    """

    pending_records: int | None = None
    pending_at_least: bool = False
    event_time_seconds: float | None = None

    @property
    def is_reported(self) -> bool:
        """Whether any source reports any of it."""
        return self.pending_records is not None or self.event_time_seconds is not None

    def in_words(self) -> str:
        """``1,200 records pending, event time lag 3 min``; a dash where it is not reported."""
        records, event_time = self.records_in_words(), self.event_time_in_words()
        parts = [f"{records} records pending"] if records else []
        parts += [f"event time lag {event_time}"] if event_time else []
        return ", ".join(parts) or NOT_REPORTED

    def records_in_words(self) -> str:
        """``1,200``; empty where it is not reported."""
        if self.pending_records is None:
            return ""
        least = "at least " if self.pending_at_least else ""
        return f"{least}{self.pending_records:,}"

    def event_time_in_words(self) -> str:
        """``3 min``; empty where it is not reported."""
        seconds = self.event_time_seconds
        if seconds is None:
            return ""
        return duration_in_words(seconds) if seconds >= 1 else f"{seconds * 1000:.0f} ms"
