"""Starting a job so that it is there once, and seeing it run."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

from flinkglue.lifecycle.backend import Launch, LaunchRefused, MoreThanOneJob
from flinkglue.lifecycle.journal.plans import LAUNCH_PLAN, LaunchPlan
from flinkglue.lifecycle.journal.records import KeptAtEnd, LeftBehind
from flinkglue.lifecycle.models import JobSpec, JobView
from flinkglue.lifecycle.readiness import Lost, NotReady, ReadyGate
from flinkglue.lifecycle.state.sent_launch import (
    launch_plan,
    note_sent,
    sent_ago_seconds,
    state_left,
    was_sent,
    why_kept,
)
from flinkglue.lifecycle.transaction import Transaction
from flinkglue.polling import Polling

# A restarted JobManager that gets a job id back which its TaskManagers still know by other blobs.
_SPENT_ID = "library BLOBs"

_STEPS = {"new": ("start {}", "verify {}"), "rollback": ("roll back {}", "verify the old {}")}
"""The steps of each launch as people watch them, by its label."""


class _Start(NamedTuple):
    spec: JobSpec
    restore_from: str | None
    left_behind: LeftBehind | None


def launch(
    tx: Transaction,
    label: str,
    spec: JobSpec,
    restore_from: str | None,
    left_behind: LeftBehind | None = None,
) -> str:
    """Start the job and wait until it runs for real; why it does not, or nothing.

    Args:
        label: What this launch is to the action: ``new`` or ``rollback``. The facts about it are
            written down under this name.
        restore_from: A savepoint or retained checkpoint; None starts without state.
        left_behind: What an earlier launch left that is newer than that.
    """
    start = _Start(spec, restore_from, left_behind)
    failure = tx.once(f"{label}_failure", lambda: _attempt(tx, label, start))
    if state_left(tx, label) is not None:
        return failure
    if MoreThanOneJob.in_words in failure:
        _end(tx, _id_of(tx, label))  # only now: an interruption must not take the half for it all
    if _SPENT_ID not in failure:
        return failure
    spent = _id_of(tx, label)
    tx.say(f"the job id {spent} cannot be used again: launching under the next one")
    _end(tx, spent)  # not the launch after it, which may run already when this is done again
    label = f"{label}_again"
    return tx.once(f"{label}_failure", lambda: _attempt(tx, label, start))


def launched_id(tx: Transaction, label: str) -> str:
    """The Flink job id of a launch; empty when it was not made."""
    return _id_of(tx, f"{label}_again") or _id_of(tx, label)


def _id_of(tx: Transaction, label: str) -> str:
    plan = launch_plan(tx, label)
    return str(tx.fact(f"{label}_job_id") or (plan.job_id if plan else ""))


def state_now(tx: Transaction, label: str, failure: str) -> dict[str, str]:
    """Id, state and failure for the outcome: a job may be lost after it was seen running."""
    job_id = launched_id(tx, label)
    view = tx.backend.view(job_id) if job_id else None
    if view is None and not failure:
        failure = (
            f"job {job_id} ran, and then the service lost it. RE_LAUNCH brings it back from its "
            "newest retained state"
        )
    return {"job_id": job_id, "state": view.state if view else "", "failure": failure}


def end_launched(tx: Transaction, label: str) -> None:
    """Make sure that nothing of a failed launch runs on."""
    _end(tx, launched_id(tx, label))


def _end(tx: Transaction, job_id: str) -> None:
    ended = tx.backend.cancel(job_id) if job_id else None
    if ended is not None:
        tx.say(f"the launch {job_id} has ended as {ended.state}")


def _attempt(tx: Transaction, label: str, start: _Start) -> str:
    spec, restore_from = start.spec, start.restore_from
    before, sent_before = tx.record().job_id, was_sent(tx, label)
    plan = tx.decided(f"{label}_launch", LAUNCH_PLAN, lambda: _decide(tx, before))
    _record_launch(tx, plan, start)
    if sent_before and (why := why_kept(tx, label, _known_id(tx, label, plan), restore_from)):
        return why
    state = f"from {restore_from}" if restore_from else "without state"
    tx.say(f"launch {plan.job_id}: {spec.jar.name}, parallelism {spec.parallelism}, {state}")
    steps = _STEPS[label.removesuffix("_again")]
    starts, verifies = (step.format(tx.job_name) for step in steps)
    try:
        view = tx.step(
            starts,
            lambda: _submitted(tx, label, plan, start, sent_before=sent_before),
        )
        ready = tx.step(verifies, lambda: _await_ready(tx, view))
    except (LaunchRefused, NotReady) as error:
        tx.say(f"launch {plan.job_id} failed: {error}")
        if isinstance(error, LaunchRefused) and not sent_before:
            _note_never_there(tx, error, restore_from)
        if isinstance(error, Lost) and not sent_before:
            return why_kept(tx, label, _known_id(tx, label, plan), restore_from) or str(error)
        return _kept(tx, label, plan, restore_from, error) if sent_before else str(error)
    tx.journal.save_job_record(
        replace(
            tx.record(),
            last_stable_spec=spec,
            ready_job_id=ready.job_id,
            checkpoint_path=ready.checkpoint_path,
            takes_checkpoints=ready.checkpointing,
            ended_as=ready.state if ready.is_terminal else "",
        )
    )
    return ""


def _note_never_there(tx: Transaction, error: LaunchRefused, restore_from: str | None) -> None:
    """A launch that was refused and left no job has no newer state than it began with."""
    record = tx.record()
    if not error.job_id and not isinstance(error, MoreThanOneJob) and not record.claimed:
        tx.journal.save_job_record(replace(record, kept_at_end=KeptAtEnd(restore_from)))


def _submitted(
    tx: Transaction, label: str, plan: LaunchPlan, start: _Start, *, sent_before: bool
) -> JobView:
    """Submit it, or find what an earlier process submitted, and write down its id."""
    spec, restore_from, live = start.spec, start.restore_from, plan.live_before
    view = tx.backend.submit(
        Launch(
            spec,
            plan.job_id,
            restore_from,
            plan.previous_job_id,
            requested_before=sent_before,
            sent_ago_seconds=sent_ago_seconds(tx, label),
            was_observed=tx.fact(f"{label}_job_id") is not None,
            about_to_send=lambda: note_sent(tx, label),
            live_before=None if live is None else frozenset(live),
        )
    )
    if view.main_failure:
        tx.say(
            f"main() failed after it had submitted job {view.job_id}, which keeps running: "
            f"{view.main_failure}"
        )
    tx.once(f"{label}_job_id", lambda: view.job_id)
    _record_job_id(tx, view.job_id)
    if restore_from and spec.restore_mode == "CLAIM":
        tx.journal.note_claimed(restore_from)
    return view


def _kept(
    tx: Transaction,
    label: str,
    plan: LaunchPlan,
    restore_from: str | None,
    error: LaunchRefused | NotReady,
) -> str:
    """Why a launch of an earlier process failed, or why it is left as it is."""
    if isinstance(error, MoreThanOneJob):
        return str(error)
    if isinstance(error, LaunchRefused) and (lost := error.job_id):
        tx.once(f"{label}_job_id", lambda: lost)
        _record_job_id(tx, lost)
    known = _known_id(tx, label, plan)
    return why_kept(tx, label, known, restore_from, str(error)) or str(error)


def _decide(tx: Transaction, previous_job_id: str) -> LaunchPlan:
    live = tuple(sorted(tx.backend.live_before_launch(tx.job_name)))
    return LaunchPlan(*tx.next_launch(), previous_job_id, live, notes_sends=True)


def _known_id(tx: Transaction, label: str, plan: LaunchPlan) -> str:
    """The Flink job of a launch that was sent; empty while the service has not told its id."""
    chosen = plan.job_id if tx.backend.takes_job_ids else ""
    return str(tx.fact(f"{label}_job_id") or chosen)


def _record_launch(tx: Transaction, plan: LaunchPlan, start: _Start) -> None:
    """Say in the job's record what is about to run: whoever comes next finds it by this id."""
    record = tx.record()
    if record.generation < plan.generation:
        tx.journal.save_job_record(
            replace(
                record,
                job_id=plan.job_id,
                generation=plan.generation,
                spec=start.spec,
                restored_from=start.restore_from,
                claimed=start.spec.restore_mode == "CLAIM",
                checkpoint_path=None,
                ended_as="",
                ended_here=False,
                kept_at_end=None,
                takes_checkpoints=False,
                left_behind=start.left_behind,
            )
        )


def _record_job_id(tx: Transaction, job_id: str) -> None:
    """A service that chooses ids itself tells the id only now."""
    record = tx.record()
    if record.job_id != job_id:
        tx.journal.save_job_record(replace(record, job_id=job_id))


def _await_ready(tx: Transaction, view: JobView) -> JobView:
    gate = ReadyGate(tx.options.ready, tx.clock.monotonic())
    # The gate ends the wait: how long a job may take depends on its checkpoints.
    polling = Polling(f"job {view.job_id} running", math.inf, tx.options.pace, tx.clock)
    while True:
        observed = tx.backend.view(view.job_id)
        if gate.passes(observed, tx.clock.monotonic()) and observed is not None:
            tx.say(f"job {view.job_id} runs: {observed.in_words()}")
            return observed
        polling.pause()
