"""A job is claimed for an intent: at once, or when whoever holds it is known to act no more."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

from flinkglue.clock import Pace
from flinkglue.errors import Conflict
from flinkglue.lease import Lease, Unchanged
from flinkglue.lifecycle.journal import processes
from flinkglue.lifecycle.journal.claims import JOURNAL, Claim, Job
from flinkglue.lifecycle.journal.ownership import Owner
from flinkglue.polling import Polling

_POLLS = Pace(first_seconds=0.5, most_seconds=3)


def claim(
    job: Job, intent: str, may_take: Callable[[Owner], bool], give_up: Callable[[str], None]
) -> tuple[Claim, bool]:
    """Hold the job for this intent, when nobody else acts on it any more.

    Args:
        may_take: Whether the job may be taken from another intent at once; raises ``Conflict``
            when it may not at all, and returns False while that may only be waited for.
        give_up: Ends the other intent, before the job is taken from it.

    Returns:
        The claim, and whether somebody had the job before, who may still be writing.

    Raises:
        Conflict: Another process went on holding it for longer than is waited for.
    """
    mine, awaited, unchanged = _owner(job, intent), "", Unchanged()
    polling = Polling(f"job {job.name}", job.terms.wait_seconds, _POLLS, job.clock)
    not_mine_at = job.clock.monotonic()
    while True:
        polled_at = job.clock.monotonic()
        stored = job.store.stored("claim", job.name)
        owner = Owner.of(stored)
        if stored is not None and owner is not None and owner.token == mine.token:
            # Only the answer to the swap was lost.
            return _claimed(job, owner, stored.version, not_mine_at), True
        not_mine_at = polled_at
        mark = (stored.version, stored.mark) if stored else None
        seconds = unchanged.seconds(mark, polled_at, job.clock.monotonic())
        taking = mine
        if owner is not None:
            may_act = owner.may_act(seconds)
            takes = owner.intent != intent and may_take(owner)
            if may_act and not takes:
                _wait(job, owner, polling, is_new=owner.token != awaited)
                awaited = owner.token
                continue
            if takes:
                give_up(owner.intent)
            taking = mine.after(owner, may_act=may_act)
        sent_at = job.clock.monotonic()
        before = stored.version if stored else None
        version = job.store.swap("claim", job.name, before, taking.document)
        if version is not None:
            return _claimed(job, taking, version, sent_at), owner is not None


def _owner(job: Job, intent: str) -> Owner:
    return Owner(
        intent,
        job.terms.holder,
        job.terms.seconds,
        token=str(uuid4()),
        process=processes.identity(),
    )


def _claimed(job: Job, mine: Owner, version: str, written_at: float) -> Claim:
    lease = Lease.taken(mine.lease_seconds, written_at)
    claim = Claim(mine, version, lease, job)
    try:
        claim.outwait()
    except BaseException:
        claim.release(is_over=False)
        raise
    return claim


def _wait(job: Job, owner: Owner, polling: Polling, *, is_new: bool) -> None:
    if polling.is_over:
        raise Conflict(
            JOURNAL,
            "claim",
            f"job {job.name}",
            f"{owner.holder} holds it for the intent {owner.intent}, and kept it for "
            f"longer than {job.terms.wait_seconds:g} s",
            advice="Check that process; when it ends, or does not renew its claim for "
            f"{owner.lease_seconds:g} s, the same intent can resume.",
        )
    if is_new:
        job.terms.emit(f"waiting: {owner.holder} holds {job.name} ({owner.intent})")
    polling.pause()
