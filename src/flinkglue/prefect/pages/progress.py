"""A progress bar on the flow run's page for something that tells its state and no percentage."""

from __future__ import annotations

import time
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

from flinkglue.texts import one_line

_NEARLY = 95.0
_AT_LEAST_SECONDS = 5.0


class Progress:
    """A bar that fills with the time usually taken, and is full only at the end."""

    def __init__(self, key: str, what: str, usual_seconds: float) -> None:
        self._key = key
        self._what = what
        self._usual_seconds = usual_seconds
        self._began = time.monotonic()
        self._shown_at = 0.0
        self._status = ""
        self._artifact: UUID | None = None

    def show(self, status: str) -> None:
        """Show a status; the same one again only every few seconds."""
        now = time.monotonic()
        if status == self._status and now - self._shown_at < _AT_LEAST_SECONDS:
            return
        self._status, self._shown_at = status, now
        self._put(min(100 * (now - self._began) / self._usual_seconds, _NEARLY), status)

    def end(self, status: str) -> None:
        """Fill the bar, if there is one."""
        if self._artifact is not None:
            self._put(100.0, status)

    def _put(self, percent: float, status: str) -> None:
        text = one_line(f"{self._what}: {status} after {time.monotonic() - self._began:.0f} s")
        if self._artifact is None:
            made = create_progress_artifact(percent, key=self._key, description=text)
            assert isinstance(made, UUID), "outside of async code Prefect returns the id itself"
            self._artifact = made
        else:
            update_progress_artifact(self._artifact, percent, description=text)
