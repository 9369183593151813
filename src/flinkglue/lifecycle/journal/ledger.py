"""The order of a job's savepoints. Pure.

Several machines write the ledger, and the clock of each may be wrong. Whoever owns the job gives a
savepoint its place, which only rises; storage has one clock for all that lies in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from flinkglue.lifecycle.models import Savepoint
from flinkglue.lifecycle.state_paths import plain


def newest_first(savepoints: Iterable[Savepoint]) -> list[Savepoint]:
    """By their place; those of earlier releases have none, come last, and are ordered by time."""
    return sorted(savepoints, key=lambda one: (-one.sequence, -one.taken_at, one.path))


def one_per_place(savepoints: Iterable[Savepoint]) -> list[Savepoint]:
    """Several entries of one savepoint, each by another spelling, as one."""
    found: dict[tuple[str, str], Savepoint] = {}
    for one in newest_first(savepoints):
        known = found.setdefault((one.job_name, plain(one.path)), one)
        if known is not one:
            found[one.job_name, plain(one.path)] = replace(
                known,
                claimed=known.claimed or one.claimed,
                disposal_began=known.disposal_began or one.disposal_began,
            )
    return list(found.values())


def added(ledger: Iterable[Savepoint], savepoint: Savepoint, sequence: int) -> Savepoint:
    """A savepoint as the ledger is to record it; one that is there keeps its place.

    Args:
        ledger: What the job's ledger says.
        savepoint: What is known of it now.
        sequence: Its place, if it is not there yet.
    """
    known = next((one for one in ledger if plain(one.path) == plain(savepoint.path)), None)
    if known is None:
        return replace(savepoint, sequence=sequence)
    return replace(
        savepoint,
        path=known.path,
        sequence=known.sequence or sequence,
        taken_at=savepoint.taken_at if savepoint.checkpoint_id else known.taken_at,
        claimed=known.claimed,
        disposal_began=known.disposal_began,
    )


def with_found(
    ledger: Sequence[Savepoint], found: Iterable[Savepoint], stored_at: Mapping[str, float]
) -> list[Savepoint]:
    """The ledger, newest first, with what else lies in storage, by the storage's clock.

    Args:
        ledger: In its order, which stays.
        found: The others.
        stored_at: When the storage says that one was taken, by its plain path.
    """
    merged = list(ledger)
    for one in sorted(found, key=lambda one: (one.taken_at, one.path)):
        at = (stored_at.get(plain(known.path), known.taken_at) for known in merged)
        older = (place for place, known_at in enumerate(at) if known_at <= one.taken_at)
        merged.insert(next(older, len(merged)), one)
    return merged


def aged(ledger: Iterable[Savepoint]) -> list[Savepoint]:
    """The ledger, newest first; none counts as older than one that was taken before it."""
    latest, oldest_first = 0.0, []
    for one in reversed(newest_first(ledger)):
        latest = max(latest, one.taken_at)
        oldest_first.append(replace(one, taken_at=latest))
    return oldest_first[::-1]
