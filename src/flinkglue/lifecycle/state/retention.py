"""Which savepoints may be disposed of. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from flinkglue.errors import InvalidInput
from flinkglue.lifecycle.journal.ledger import aged
from flinkglue.lifecycle.models import Savepoint
from flinkglue.lifecycle.state_paths import plain

FOUND_ONLY = "directory"


@dataclass(frozen=True)
class Retention:
    """How long savepoints are kept. One that breaks either limit may go.

    Args:
        keep: So many of the newest stay; None: any number.
        most_age_seconds: Older ones may go; None: at any age they stay.
        kept_paths: These stay for good.
    """

    keep: int | None = None
    most_age_seconds: float | None = None
    kept_paths: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.keep is not None and self.keep < 1:
            raise InvalidInput("keep", self.keep, "1 or more")
        if self.most_age_seconds is not None and self.most_age_seconds <= 0:
            raise InvalidInput("most_age_seconds", self.most_age_seconds, "more than 0")


def disposable(
    savepoints: Sequence[Savepoint], retention: Retention, *, in_use: Collection[str], now: float
) -> list[Savepoint]:
    """Those that may be disposed of, oldest first.

    Never the newest one, never one in use, never one that a person keeps, never one that we did
    not take, nor one that Flink owns. What was begun before is gone on with. A savepoint counts as
    no older than those that were taken before it, whatever the clocks said.

    Args:
        savepoints: The job's ledger, in any order.
        retention: The limits.
        in_use: Paths that a running job started from, or that somebody is about to start from.
        now: Seconds since the epoch, by the clock of ``taken_at``.
    """
    ours = [
        savepoint
        for savepoint in savepoints
        if savepoint.origin != FOUND_ONLY and not savepoint.claimed
    ]
    by_path = {savepoint.path: savepoint for savepoint in ours}
    newest_first = aged(ours)
    staying = {plain(path) for path in (*retention.kept_paths, *in_use)}
    return [
        by_path[savepoint.path]
        for place, savepoint in reversed(list(enumerate(newest_first)))
        if place > 0
        and plain(savepoint.path) not in staying
        and _too_many_or_too_old(place, savepoint, retention, now)
    ]


def _too_many_or_too_old(
    place: int, savepoint: Savepoint, retention: Retention, now: float
) -> bool:
    too_many = retention.keep is not None and place >= retention.keep
    age_seconds = now - savepoint.taken_at
    too_old = retention.most_age_seconds is not None and age_seconds > retention.most_age_seconds
    return too_many or too_old or savepoint.disposal_began
