"""The record of every request that the local cloud has served."""

from __future__ import annotations

import json
import threading
from collections import deque
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Request:
    """One recorded request.

    Args:
        service: For example ``glue``.
        operation: By the service's own name, for example ``StartJobRun``.
        at: When it came in, in seconds since the epoch.
        seconds: The time until the answer began.
        status: The HTTP status that the service answered with, also when ``drop_after`` kept it
            from the client; 0 when the connection was cut before the request was processed.
        detail: What tests need to know (job name, connection order); ``fault`` is an applied one.
    """

    service: str
    operation: str
    at: float
    seconds: float
    status: int
    detail: dict[str, Any] = field(default_factory=dict)


class RequestLog:
    """The recorded requests: the newest in memory, all of them as JSON lines in a file.

    Args:
        path: The file; without one, memory only.
        keep: How many are kept in memory.
    """

    def __init__(self, path: Path | None = None, *, keep: int = 100_000) -> None:
        self._requests: deque[Request] = deque(maxlen=keep)
        self._lock = threading.Lock()
        self._path = path

    def record(self, request: Request) -> None:
        """Remember a request."""
        line = json.dumps(asdict(request), default=str) + "\n"
        with self._lock:
            self._requests.append(request)
            if self._path is not None:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(line)

    def find(self, service: str = "*", operation: str = "*", since: float = 0.0) -> list[Request]:
        """Those that match both patterns (``*`` and ``?``) and came in at ``since`` or later."""
        with self._lock:
            requests = list(self._requests)
        return [
            request
            for request in requests
            if request.at >= since
            and fnmatchcase(request.service, service)
            and fnmatchcase(request.operation, operation)
        ]

    def clear(self) -> None:
        """Forget those in memory; the file keeps them."""
        with self._lock:
            self._requests.clear()
