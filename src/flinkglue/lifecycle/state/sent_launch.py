"""A launch that was sent: what its job did since then is not dropped unseen.

The process that sent it may have died long ago, or have seen the job lost by its service. Sent
again, or replaced by what ran before, the launch would begin anew from the state that it was
decided with.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from flinkglue.lifecycle.journal.plans import LaunchPlan, StateLeft
from flinkglue.lifecycle.journal.records import value_of
from flinkglue.lifecycle.models import JobView
from flinkglue.lifecycle.state.retained import Retained, newest_retained
from flinkglue.lifecycle.state_paths import is_same_path
from flinkglue.lifecycle.transaction import Transaction


@dataclass(frozen=True)
class SentLaunch:
    """What is written down of a launch.

    Args:
        label: Which launch of its action it is; the names of its facts begin with it.
    """

    tx: Transaction
    label: str

    def fact(self, name: str) -> Any:
        """What was written down of it under this name, or None."""
        return self.tx.fact(f"{self.label}_{name}")

    @property
    def plan(self) -> LaunchPlan | None:
        """What was decided of it; None: nothing yet."""
        decided = self.fact("launch")
        return value_of(LaunchPlan, decided) if decided else None

    @property
    def job_id(self) -> str:
        """The Flink job id, chosen here or by the service; empty when it was not made."""
        plan = self.plan
        return str(self.fact("job_id") or (plan.job_id if plan else ""))

    @property
    def known_id(self) -> str:
        """The same; empty while a service that chooses ids itself has not reported it."""
        return self.job_id if self.tx.backend.takes_job_ids or self.fact("job_id") else ""

    @property
    def was_sent(self) -> bool:
        """Whether an earlier process may have sent it."""
        plan = self.plan
        return plan is not None and (self.fact("sent_at") is not None or not plan.notes_sends)

    @property
    def sent_ago_seconds(self) -> float:
        """How long ago that was; by the time of day, and so never below zero."""
        sent_at = self.fact("sent_at") or self.tx.entry.began_at
        return max(self.tx.now() - sent_at, 0.0) if sent_at and self.was_sent else math.inf

    def note_sent(self) -> None:
        """Write down that it is sent now."""
        self.tx.held.note(story=self.tx.story, facts={f"{self.label}_sent_at": self.tx.now()})

    def why_kept(self, restore_from: str | None, failure: str = "") -> str:
        """Why it is left as it is although it was sent; empty: nothing would be dropped.

        Args:
            restore_from: What it began with.
            failure: Why it is to be given up although it may live; empty: a live one is adopted.
        """
        job_id = self.known_id
        view = self.tx.backend.view(job_id) if job_id else None
        lives = view is not None and not view.is_terminal
        if not job_id or (lives and not failure) or (view and view.state == "FINISHED"):
            return ""
        newest = newest_retained(self.tx, job_id, view)
        if not _has_gone_on(newest, view, restore_from):
            return ""
        reason = _in_words(job_id, view, newest, restore_from, failure)
        self.tx.decided(f"{self.label}_left", StateLeft, lambda: StateLeft(newest.path))
        self.tx.say(reason)
        return reason


def state_left(tx: Transaction, label: str) -> StateLeft | None:
    """The state for which a launch was neither sent again nor rolled back; None: none."""
    left = tx.fact(f"{label}_again_left") or tx.fact(f"{label}_left")
    return value_of(StateLeft, left) if left else None


def _has_gone_on(newest: Retained, view: JobView | None, restore_from: str | None) -> bool:
    if newest.is_unseen or (view and not view.is_terminal and view.completed_checkpoints):
        return True
    return newest.path is not None and not is_same_path(newest.path, restore_from)


def _in_words(
    job_id: str, view: JobView | None, newest: Retained, restore_from: str | None, failure: str
) -> str:
    start = f"from {restore_from}" if restore_from else "without state"
    sent = f"job {job_id} was launched {start}"
    if view is not None and not view.is_terminal:
        return (
            f"{sent} by an earlier process. {failure}. It has made progress since, so it was "
            f"neither ended nor rolled back: it is {view.in_words()}. UPDATE replaces it from its "
            "state, CANCEL ends it"
        )
    end = f"has ended as {view.in_words()}" if view else "is gone"
    kept = "Its newest retained state is" if newest.path else "Whether it left newer state:"
    way = (
        "RE_LAUNCH resumes from that state"
        if newest.path
        else "Name the state to resume from in the savepoint of RE_LAUNCH"
    )
    return (
        f"{sent}, and {end}. {kept} {newest.description}. So it was neither launched again "
        f"{start} nor rolled back, and no job runs now. {way}"
    )
