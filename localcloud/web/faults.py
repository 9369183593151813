"""The fault book: what goes wrong with which requests, how often and how."""

from __future__ import annotations

import math
import random
import threading
import uuid
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, get_args

FaultKind = Literal["throttle", "delay", "error", "drop_before", "drop_after", "expire_token"]
FAULT_KINDS: tuple[str, ...] = get_args(FaultKind)

_DEFAULT_STATUS = {"throttle": 429, "expire_token": 401}


@dataclass
class Fault:
    """Something that goes wrong with matching requests.

    Args:
        id: Names it for ``clear``.
        pattern: ``service:operation``, with ``*`` and ``?``.
        kind: ``throttle``, ``error`` and ``expire_token`` are answered in the service's own words
            and not processed; ``delay`` waits and then processes; ``drop_before`` cuts the
            connection without processing; ``drop_after`` processes and then cuts it unanswered.
        times: How many more requests it hits; None: until it is cleared.
        share: The share of matching requests that it hits, 0 to 1, drawn with the cloud's seed.
        seconds: The length of a delay.
        status: The HTTP status of an answer.
        message: The message of an answer.
    """

    id: str
    pattern: str
    kind: FaultKind
    times: int | None
    share: float
    seconds: float
    status: int
    message: str

    def matches(self, service: str, operation: str) -> bool:
        """Whether this fault is meant for the operation and not used up."""
        return self.times != 0 and fnmatchcase(f"{service}:{operation}", self.pattern)


class FaultBook:
    """The faults that wait for requests.

    Args:
        seed: Makes the draws of faults with a share repeatable.
    """

    def __init__(self, *, seed: int = 0) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._random = random.Random(seed)

    def add(
        self,
        pattern: str,
        kind: FaultKind,
        *,
        times: int | None = None,
        share: float = 1.0,
        seconds: float = 0.0,
        status: int | None = None,
        message: str | None = None,
    ) -> Fault:
        """Add a fault; see :class:`Fault` for the arguments.

        Raises:
            ValueError: The pattern, the kind, the number of times, the share or the length is not
                allowed.
        """
        _check_fault(pattern, kind, times, share, seconds)
        fault = Fault(
            id=uuid.uuid4().hex[:8],
            pattern=pattern,
            kind=kind,
            times=times,
            share=share,
            seconds=seconds,
            status=status or _DEFAULT_STATUS.get(kind, 500),
            message=message or f"{kind} injected by the local cloud",
        )
        with self._lock:
            self._faults.append(fault)
        return fault

    def take(self, service: str, operation: str) -> Fault | None:
        """The first fault that hits this request, counted as used."""
        with self._lock:
            for fault in self._faults:
                if fault.matches(service, operation) and self._random.random() < fault.share:
                    if fault.times is not None:
                        fault.times -= 1
                    return fault
            return None

    def clear(self, id: str | None = None) -> None:
        """Remove one fault, or all of them.

        Raises:
            ValueError: There is no fault with that id.
        """
        with self._lock:
            known = [fault.id for fault in self._faults]
            if id is not None and id not in known:
                allowed = ", ".join(known) or "none, the book is empty"
                raise ValueError(f"id: {id!r} is not accepted. Allowed: {allowed}")
            self._faults = [fault for fault in self._faults if id is not None and fault.id != id]

    def list(self) -> list[Fault]:
        """All faults, also the used-up ones, oldest first."""
        with self._lock:
            return list(self._faults)


def _check_fault(pattern: str, kind: str, times: int | None, share: float, seconds: float) -> None:
    if ":" not in pattern:
        raise ValueError(f"pattern: {pattern!r} is not accepted. Allowed: service:operation")
    if kind not in FAULT_KINDS:
        raise ValueError(f"kind: {kind!r} is not accepted. Allowed: {', '.join(FAULT_KINDS)}")
    if times is not None and times < 1:
        raise ValueError(f"times: {times!r} is not accepted. Allowed: 1 or more, or none at all")
    if not 0 <= share <= 1:
        raise ValueError(f"share: {share!r} is not accepted. Allowed: 0 to 1")
    if not 0 <= seconds < math.inf:
        raise ValueError(f"seconds: {seconds!r} is not accepted. Allowed: 0 or more")
