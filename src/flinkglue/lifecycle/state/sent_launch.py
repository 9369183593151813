"""A launch that was sent: what its job did since then is not dropped unseen.

The process that sent it may have died long ago, or have seen the job lost by its service. Sent
again, or replaced by what ran before, the launch would begin anew from the state that it was
decided with.
"""

from __future__ import annotations

import math

from flinkglue.lifecycle.journal.plans import LAUNCH_PLAN, STATE_LEFT, LaunchPlan, StateLeft
from flinkglue.lifecycle.models import JobView
from flinkglue.lifecycle.state.retained import Retained, newest_retained
from flinkglue.lifecycle.state_paths import is_same_path
from flinkglue.lifecycle.transaction import Transaction


def launch_plan(tx: Transaction, label: str) -> LaunchPlan | None:
    """What was decided of this launch; None: nothing yet."""
    decided = tx.fact(f"{label}_launch")
    return LAUNCH_PLAN.validate_python(decided) if decided else None


def was_sent(tx: Transaction, label: str) -> bool:
    """Whether an earlier process may have sent this launch."""
    plan = launch_plan(tx, label)
    if plan is None:
        return False
    return tx.fact(f"{label}_sent_at") is not None or not plan.notes_sends


def sent_ago_seconds(tx: Transaction, label: str) -> float:
    """How long ago that was; by the time of day, and so never below zero."""
    sent_at = tx.fact(f"{label}_sent_at") or tx.entry.began_at
    return max(tx.now() - sent_at, 0.0) if sent_at and was_sent(tx, label) else math.inf


def note_sent(tx: Transaction, label: str) -> None:
    """Write down that it is sent now."""
    tx.held.note(story=tx.story, facts={f"{label}_sent_at": tx.now()})


def state_left(tx: Transaction, label: str) -> StateLeft | None:
    """The state for which a launch was neither sent again nor rolled back; None: none."""
    left = tx.fact(f"{label}_again_left") or tx.fact(f"{label}_left")
    return STATE_LEFT.validate_python(left) if left else None


def why_kept(
    tx: Transaction, label: str, job_id: str, restore_from: str | None, failure: str = ""
) -> str:
    """Why a launch that was sent is left as it is; empty: nothing would be dropped.

    Args:
        job_id: Its Flink job; empty: not known.
        restore_from: What it began with.
        failure: Why it is to be given up although it may live; empty: a live one is adopted.
    """
    view = tx.backend.view(job_id) if job_id else None
    lives = view is not None and not view.is_terminal
    if not job_id or (lives and not failure) or (view and view.state == "FINISHED"):
        return ""
    newest = newest_retained(tx, job_id, view)
    if not _has_gone_on(newest, view, restore_from):
        return ""
    reason = _in_words(job_id, view, newest, restore_from, failure)
    tx.decided(f"{label}_left", STATE_LEFT, lambda: StateLeft(newest.path))
    tx.say(reason)
    return reason


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
