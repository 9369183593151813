"""What is done for people to see, and must not fail a job that lives or has succeeded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flinkglue.prefect.run_log import run_log


@contextmanager
def best_effort(what: str) -> Iterator[None]:
    """Log whatever goes wrong inside as a warning; usable as a decorator, too.

    Args:
        what: What is missing then, in words.
    """
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever Prefect raises, the job is what counts
        run_log().warning("%s: %s", what, error)
