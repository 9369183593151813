"""An HTTP client whose calls that may change anything can be guarded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import httpx

from flinkglue.clock.interruption import raise_if_interrupted


class GuardedClient:
    """Calls one service. Close it, or use it as a context manager.

    Args:
        settings: httpx's.
    """

    def __init__(self, **settings: Any) -> None:
        self._check: Callable[[], None] | None = None
        self._http = httpx.Client(event_hooks={"request": [self._before]}, **settings)

    @contextmanager
    def guarded(self, check: Callable[[], None]) -> Iterator[None]:
        """Call this right before each request that is no GET, while the block runs.

        What it raises keeps the request from being sent. Blocks may lie in one another: the inner
        check counts.
        """
        self._check, before = check, self._check
        try:
            yield
        finally:
            self._check = before

    def _before(self, request: httpx.Request) -> None:
        """No request is sent by a run that was interrupted meanwhile."""
        raise_if_interrupted()
        if self._check is not None and request.method != "GET":
            self._check()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()
