"""The names of a worker's flow runs, of which each is written once where two come in a row.

To rename a flow run is one of the dearest calls to the server. A flow run has a name that its
parameters say, and a better one when its job is started, most often a second later. So the first
is written only if the other does not come soon.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from uuid import UUID

SOON_SECONDS = 10.0
"""How long a flow run keeps the name that it was made with, while a better one may come."""


class RunNames:
    """Writes names in a thread of its own: one that is not written fails no flow run.

    Args:
        write: Writes one name.
        soon_seconds: How long a name waits for a better one.
    """

    def __init__(
        self, write: Callable[[UUID, str], object], soon_seconds: float = SOON_SECONDS
    ) -> None:
        self._write = write
        self._soon_seconds = soon_seconds
        self._changed = threading.Condition()
        self._due: dict[UUID, tuple[float, str]] = {}
        self._is_ending = False
        self._thread: threading.Thread | None = None

    def put(self, flow_run_id: UUID, name: str, *, is_last: bool) -> None:
        """Have a name written, in place of one that is not written yet.

        Args:
            is_last: Whether no better one is expected: it is written at once.
        """
        due_at = time.monotonic() + (0.0 if is_last else self._soon_seconds)
        with self._changed:
            self._due[flow_run_id] = (due_at, name)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="flow-run-names")
                self._thread.daemon = True  # a server that does not answer holds up no end
                self._thread.start()
            self._changed.notify()

    def end(self, within_seconds: float) -> None:
        """Write those that are left, and wait for that at most so long."""
        with self._changed:
            self._is_ending = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(within_seconds)

    def _run(self) -> None:
        while (due := self._next()) is not None:
            try:
                self._write(*due)
            except Exception as error:  # noqa: BLE001 - nobody waits for it
                logging.getLogger(__name__).warning("A flow run keeps its name: %s", error)

    def _next(self) -> tuple[UUID, str] | None:
        """The name to be written next, when it is due; None: there will be none."""
        with self._changed:
            while True:
                first = min(self._due, key=lambda each: self._due[each][0], default=None)
                if first is None and self._is_ending:
                    return None
                left = self._due[first][0] - time.monotonic() if first else None
                if first and left is not None and (left <= 0 or self._is_ending):
                    return first, self._due.pop(first)[1]
                self._changed.wait(left)
