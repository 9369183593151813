"""Starting a job so that it is there once, and seeing it run."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from flinkglue.lifecycle.backend import Launch, LaunchRefused, MoreThanOneJob
from flinkglue.lifecycle.journal.plans import LaunchPlan
from flinkglue.lifecycle.journal.records import JobRecord, KeptAtEnd, LeftBehind
from flinkglue.lifecycle.models import JobSpec, JobView
from flinkglue.lifecycle.readiness import Lost, NotReady, ReadyGate
from flinkglue.lifecycle.state.sent_launch import SentLaunch, state_left
from flinkglue.lifecycle.transaction import Transaction
from flinkglue.polling import Polling

# A restarted JobManager that gets a job id back which its TaskManagers still know by other blobs.
_SPENT_ID = "library BLOBs"

_STEPS = {"new": ("start {}", "verify {}"), "rollback": ("roll back {}", "verify the old {}")}
"""The steps of each launch as people watch them, by its label."""


def launch(
    tx: Transaction,
    label: str,
    spec: JobSpec,
    restore_from: str | None,
    left_behind: LeftBehind | None = None,
) -> str:
    """Start the job and wait until it runs for real; why it does not, or nothing.

    Args:
        label: What this launch is to the action: ``new`` or ``rollback``.
        restore_from: A savepoint or retained checkpoint; None starts without state.
        left_behind: What an earlier launch left that is newer than that.
    """
    first = _Attempt(SentLaunch(tx, label), spec, restore_from, left_behind)
    failure = first.failure()
    if state_left(tx, label) is not None:
        return failure
    spent = first.sent.job_id
    if MoreThanOneJob.in_words in failure:
        _end(tx, spent)  # only now: an interruption must not take the half for it all
    if _SPENT_ID not in failure:
        return failure
    tx.say(f"the job id {spent} cannot be used again: launching under the next one")
    _end(tx, spent)  # not the launch after it, which may run already when this is done again
    return replace(first, sent=SentLaunch(tx, f"{label}_again")).failure()


def launched_id(tx: Transaction, label: str) -> str:
    """The Flink job id of a launch; empty when it was not made."""
    return SentLaunch(tx, f"{label}_again").job_id or SentLaunch(tx, label).job_id


def state_now(tx: Transaction, label: str, failure: str) -> dict[str, str]:
    """Id, state and failure for the outcome: a job may be lost after it ran."""
    job_id = launched_id(tx, label)
    view = tx.backend.view(job_id) if job_id else None
    if view is None and not failure:
        failure = (
            f"job {job_id} ran, and then the service lost it. RE_LAUNCH restores it from its "
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


@dataclass(frozen=True)
class _Attempt:
    """One launch under one job id."""

    sent: SentLaunch
    spec: JobSpec
    restore_from: str | None
    left_behind: LeftBehind | None

    @property
    def _tx(self) -> Transaction:
        return self.sent.tx

    def failure(self) -> str:
        """Why the job does not run; empty: it does. Decided once."""
        return self._tx.once(f"{self.sent.label}_failure", self._made)

    def _made(self) -> str:
        tx, spec, restore_from = self._tx, self.spec, self.restore_from
        before, sent_before = tx.record().job_id, self.sent.was_sent
        plan = tx.decided(f"{self.sent.label}_launch", LaunchPlan, lambda: _decide(tx, before))
        self._record_launch(plan)
        if sent_before and (why := self.sent.why_kept(restore_from)):
            return why
        state = f"from {restore_from}" if restore_from else "without state"
        tx.say(f"launch {plan.job_id}: {spec.jar.name}, parallelism {spec.parallelism}, {state}")
        steps = _STEPS[self.sent.label.removesuffix("_again")]
        starts, verifies = (step.format(tx.job_name) for step in steps)
        try:
            view = tx.step(starts, lambda: self._submitted(plan, sent_before=sent_before))
            ready = tx.step(verifies, lambda: _await_ready(tx, view))
        except (LaunchRefused, NotReady) as error:
            tx.say(f"launch {plan.job_id} failed: {error}")
            return self._given_up(error, sent_before=sent_before)
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

    def _submitted(self, plan: LaunchPlan, *, sent_before: bool) -> JobView:
        """Submit it, or find what an earlier process submitted, and write down its id."""
        tx, sent = self._tx, self.sent
        view = tx.backend.submit(
            Launch(
                self.spec,
                plan.job_id,
                self.restore_from,
                plan.previous_job_id,
                requested_before=sent_before,
                sent_ago_seconds=sent.sent_ago_seconds,
                was_observed=sent.fact("job_id") is not None,
                about_to_send=sent.note_sent,
                live_before=None if plan.live_before is None else frozenset(plan.live_before),
            )
        )
        if view.main_failure:
            tx.say(
                f"main() failed after it had submitted job {view.job_id}, which keeps running: "
                f"{view.main_failure}"
            )
        self._record_job_id(view.job_id)
        if self.restore_from and self.spec.restore_mode == "CLAIM":
            tx.journal.note_claimed(self.restore_from)
        return view

    def _given_up(self, error: LaunchRefused | NotReady, *, sent_before: bool) -> str:
        """Why it failed, or why it is left as it is."""
        if not sent_before:
            if isinstance(error, LaunchRefused):
                self._note_never_there(error)
            kept = self.sent.why_kept(self.restore_from) if isinstance(error, Lost) else ""
            return kept or str(error)
        if isinstance(error, MoreThanOneJob):
            return str(error)
        if isinstance(error, LaunchRefused) and error.job_id:
            self._record_job_id(error.job_id)
        return self.sent.why_kept(self.restore_from, str(error)) or str(error)

    def _note_never_there(self, error: LaunchRefused) -> None:
        """A launch that was refused and left no job has no newer state than it began with."""
        record = self._tx.record()
        if not error.job_id and not isinstance(error, MoreThanOneJob) and not record.claimed:
            kept = KeptAtEnd(self.restore_from)
            self._tx.journal.save_job_record(replace(record, kept_at_end=kept))

    def _record_launch(self, plan: LaunchPlan) -> None:
        """Say in the job's record what is about to run: whoever comes next finds it by this id."""
        record = self._tx.record()
        if record.generation < plan.generation:
            self._tx.journal.save_job_record(
                JobRecord(
                    record.job_name,
                    job_id=plan.job_id,
                    generation=plan.generation,
                    spec=self.spec,
                    last_stable_spec=record.last_stable_spec,
                    restored_from=self.restore_from,
                    claimed=self.spec.restore_mode == "CLAIM",
                    ready_job_id=record.ready_job_id,
                    left_behind=self.left_behind,
                    savepoints_counted=record.savepoints_counted,
                    version=record.version,
                )
            )

    def _record_job_id(self, job_id: str) -> None:
        """A service that chooses ids itself returns the id only now."""
        self._tx.once(f"{self.sent.label}_job_id", lambda: job_id)
        record = self._tx.record()
        if record.job_id != job_id:
            self._tx.journal.save_job_record(replace(record, job_id=job_id))


def _decide(tx: Transaction, previous_job_id: str) -> LaunchPlan:
    live = tuple(sorted(tx.backend.live_before_launch(tx.job_name)))
    return LaunchPlan(*tx.next_launch(), previous_job_id, live, notes_sends=True)


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
