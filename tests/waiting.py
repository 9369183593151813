"""What a test waits for, and what goes on while it waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


def eventually(
    look: Callable[[], T], *, within_seconds: float = 120, every_seconds: float = 0.05
) -> T:
    """The first true answer; the test fails when there is none in time."""
    give_up_at = time.monotonic() + within_seconds
    while not (found := look()):
        assert time.monotonic() < give_up_at, f"it did not happen within {within_seconds:g} s"
        time.sleep(every_seconds)
    return found


@contextmanager
def repeating(call: Callable[[], object], *, every_seconds: float = 0.3) -> Iterator[None]:
    """A thread makes the call now and then, for as long as the block runs."""
    is_over = threading.Event()

    def run() -> None:
        while not is_over.wait(every_seconds):
            call()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
