"""What happens to a job when the flow run that acted on it was cancelled or died."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from flinkglue.clock import Clock, Pace, SystemClock
from flinkglue.errors import DeadlineExceeded
from flinkglue.lifecycle.actions.perform import perform
from flinkglue.lifecycle.actions.stop import savepoint, stopped
from flinkglue.lifecycle.backend import FlinkBackend, SavepointFailed
from flinkglue.lifecycle.execute import execute
from flinkglue.lifecycle.journal.holding import Held
from flinkglue.lifecycle.journal.journal import Journal, JournalStore
from flinkglue.lifecycle.journal.plans import SavepointPlan
from flinkglue.lifecycle.journal.records import Entry
from flinkglue.lifecycle.models import LAUNCHING, Action, Jar, JobView, Outcome
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.request.options import ActionOptions
from flinkglue.lifecycle.transaction import Refused, Transaction
from flinkglue.polling import wait_until

_SAVEPOINT_RESULTS = {"stop", "savepoint_path"}
_SETTLE_PACE = Pace(first_seconds=0.5, most_seconds=3)


class OnCancel(StrEnum):
    """What happens to the job when the flow run that acts on it is cancelled."""

    LEAVE = "leave"
    STOP_WITH_SAVEPOINT = "stop_with_savepoint"
    CANCEL = "cancel"


_ACTIONS = {OnCancel.STOP_WITH_SAVEPOINT: Action.STOP, OnCancel.CANCEL: Action.CANCEL}


@dataclass(frozen=True)
class Interrupted:
    """An action whose process is dead.

    Args:
        intent: Its intent; see ``last_intent``.
        settle_seconds: How long to wait for a launch that was under way to be observed running. A
            launch may take as long as its service is waited for.
    """

    request: ActionRequest
    intent: str
    store: JournalStore
    backend: FlinkBackend
    emit: Callable[[str], None]
    options: ActionOptions = field(default_factory=ActionOptions)
    clock: Clock = field(default_factory=SystemClock)
    settle_seconds: float = 60

    @property
    def _journal(self) -> Journal:
        return Journal(self.store)

    def what_is_left(self) -> JobView | None:
        """Tell what runs now and how to go on; changes nothing."""
        entry = self._journal.entry(self.intent)
        view = self._report_job()
        if _is_open(entry):
            self.emit(
                f"{self.request.action} of {self.request.job_name} has not ended. Retry this flow "
                "run to resume it; another run may act on the job only with take_over."
            )
        return view

    def after_cancellation(self, on_cancel: OnCancel) -> None:
        """Do with the job what was requested, and let go of it. Safe to interrupt and repeat.

        A run that had not begun to act, or was done, leaves the job alone, whatever was requested.
        """
        entry = self._journal.entry(self.intent)
        action = _ACTIONS.get(on_cancel)
        ending = self._journal.entry(self._ending_intent(action)) if action else None
        acts = _is_open(entry) and self._journal.owner(self.request.job_name) == self.intent
        if not (acts or _is_open(ending)):
            self._report_job()
            return
        if acts:
            self._finish_savepoint()
        if action is not None:
            self._end_job(action, self._journal.entry(self.intent))
        entry = self._journal.entry(self.intent)
        if entry is not None and _is_open(entry):
            self._give_up(entry)

    def _ending_intent(self, action: Action) -> str:
        return f"{self.intent}:{action}"

    def _end_job(self, action: Action, entry: Entry | None) -> None:
        """Stop or cancel the job; an interrupted stop or cancellation is simply finished."""
        unseen = ""
        try:
            if entry is not None and entry.action is action and _is_open(entry):
                outcome = execute(
                    self.request,
                    self.intent,
                    store=self.store,
                    backend=self.backend,
                    identify=_no_jar,
                    options=self.options,
                    clock=self.clock,
                )
            else:
                unseen = self._settle(entry, action)
                outcome = self._perform(action)
        except Refused as refused:
            if unseen:
                self.emit(
                    f"The launch {unseen} may still be in progress, and could not be ended. If it "
                    f"appears, end it with CANCEL. {refused.reason}"
                )
            else:
                self.emit(f"Nothing to end: {refused.reason}")
            return
        for line in (*outcome.story, outcome.failure):
            if line:
                self.emit(line)

    def _perform(self, action: Action) -> Outcome:
        return perform(
            ActionRequest(action, self.request.job_name, take_over=True),
            self.backend,
            self._journal,
            intent=self._ending_intent(action),
            options=self.options,
            clock=self.clock,
        )

    def _held(self) -> Held:
        """The intent, to act for once its process is known to be dead."""
        return self._journal.begin(
            self.intent,
            self.request.action,
            self.request.job_name,
            terms=self.options.lease,
            clock=self.clock,
        )

    def _finish_savepoint(self) -> None:
        """See a savepoint or stop through that may have been requested, so that none is lost."""
        with self._held() as held:
            facts = held.entry.facts
            if "trigger_id" not in facts or _SAVEPOINT_RESULTS & facts.keys():
                return
            with held.acting(self.backend):
                self._see_through(
                    Transaction(
                        self.request, self.backend, self._journal, held, self.options, self.clock
                    )
                )

    def _see_through(self, tx: Transaction) -> None:
        plan = tx.plan
        try:
            path = (
                stopped(tx, plan)
                if isinstance(plan, SavepointPlan) and tx.entry.action is not Action.SAVEPOINT
                else savepoint(tx).savepoint_path
            )
        except SavepointFailed as failed:
            self.emit(str(failed))
        else:
            self.emit(f"The savepoint in progress has completed: {path}")

    def _settle(self, entry: Entry | None, action: Action) -> str:
        """Wait for a launch that is on its way: what is not listed cannot be ended.

        Returns:
            The job id of a launch that did not show in that time; empty when there is none.
        """
        if entry is None or entry.action not in LAUNCHING or not _launched(entry):
            return ""

        def is_there(view: JobView | None) -> bool:
            if view is None or view.is_terminal:
                return view is not None
            return action is Action.CANCEL or view.is_running_for_real

        try:
            wait_until(
                self.view,
                is_there,
                waited_for=f"The launch of {self.request.job_name}",
                deadline_seconds=self.settle_seconds,
                pace=_SETTLE_PACE,
                clock=self.clock,
            )
        except DeadlineExceeded as late:
            self.emit(str(late))
            if self.view() is None:
                return self._journal.job_record(self.request.job_name).job_id or "that was sent"
        return ""

    def _give_up(self, entry: Entry) -> None:
        view = self._report_job()
        newest = self._journal.newest_savepoint(self.request.job_name)
        outcome = Outcome(
            entry.action,
            entry.job_name,
            job_id=view.job_id if view else "",
            state=view.state if view else "",
            savepoint_path=newest.path if newest else None,
            failure="the flow run was cancelled",
            story=entry.story,
        )
        with self._held() as held:
            if held.entry.outcome is not None:
                return  # the action that ended the job has given it up already
            if view is not None and not view.is_terminal and entry.action in LAUNCHING:
                self._journal.record_desired_state(replace(outcome, failure=""))
            held.end(outcome)

    def _report_job(self) -> JobView | None:
        view = self.view()
        if view is None:
            self.emit(f"No Flink job of {self.request.job_name} is known to the cluster.")
        else:
            self.emit(f"Flink job {view.job_id} of {self.request.job_name} is {view.in_words()}.")
        newest = self._journal.newest_savepoint(self.request.job_name)
        if newest is not None:
            self.emit(f"Its newest savepoint is {newest.path}")
        return view

    def view(self) -> JobView | None:
        """The job as it is now; None: the cluster knows none."""
        job_id = self._journal.job_record(self.request.job_name).job_id
        view = self.backend.view(job_id) if job_id else None
        return view or next(iter(self.backend.find(self.request.job_name)), None)


def _is_open(entry: Entry | None) -> bool:
    return entry is not None and entry.outcome is None


def _launched(entry: Entry) -> bool:
    return any(name.endswith("_launch") for name in entry.facts)


def _no_jar(uri: str, python_module: str = "", python_files: tuple[str, ...] = ()) -> Jar:
    raise AssertionError(f"a job is ended without its jar {uri}")
