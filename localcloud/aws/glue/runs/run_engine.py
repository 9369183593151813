"""Runs from submission to the end: connections, addresses, scripts, time-outs, stops, retries."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from localcloud.aws.glue.connections import Connections
from localcloud.aws.glue.runs import failures
from localcloud.aws.glue.runs.job_run import JobRun, retry_of
from localcloud.aws.glue.runs.placement import NoPlace, Placement, place
from localcloud.aws.glue.runs.scripts import ScriptMissing, Scripts
from localcloud.aws.glue.settings import GlueSettings
from localcloud.aws.glue.timeline import Timeline
from localcloud.aws.network import Network, SubnetState

_LEAST_NODES = 2
_QUEUE_CHECK_SECONDS = 0.5


@dataclass
class PlannedFailure:
    """A failure that waits for runs of a job."""

    job_name_pattern: str
    times: int
    error_message: str
    state: str
    after_seconds: float


class RunEngine:
    """Moves runs through their states.

    Args:
        timeline: Its lock guards the runs, its clock dates them.
        settings: How long things take.
        connections: The connections that jobs name.
        network: Where addresses come from.
        scripts: What runs the scripts.
        added: Called with a run that Glue itself starts, a retry.
    """

    def __init__(
        self,
        timeline: Timeline,
        settings: GlueSettings,
        connections: Connections,
        network: Network,
        scripts: Scripts,
        added: Callable[[JobRun], None],
    ) -> None:
        self._timeline = timeline
        self._settings = settings
        self._connections = connections
        self._network = network
        self._scripts = scripts
        self._added = added
        self._waiting: list[JobRun] = []
        self._unreleased: dict[str, JobRun] = {}
        self._failures: list[PlannedFailure] = []

    def plan_failure(self, failure: PlannedFailure) -> None:
        """Let the next runs of a job fail."""
        with self._timeline.lock:
            self._failures.append(failure)

    def forget_failures(self) -> None:
        """Let the next runs succeed again."""
        with self._timeline.lock:
            self._failures.clear()

    def submit(self, run: JobRun, *, slot_is_free: Callable[[], bool]) -> None:
        """Take a run in: choose its connection, or queue it if it may wait.

        The caller has checked MaxConcurrentRuns for runs that may not wait.
        """
        self._unreleased[run.id] = run
        if slot_is_free():
            reason = self._choose(run)
        else:
            reason = "Maximum concurrent runs for the job are reached"
        if reason is None:
            return
        run.enter("WAITING", self._timeline.now())
        run.holds_slot = False
        run.state_detail = f"Job run is queued: {reason}."
        self._waiting.append(run)
        self._later(_QUEUE_CHECK_SECONDS, run, self._check_queued, slot_is_free)

    def stop(self, run: JobRun) -> None:
        """Begin to stop a live run."""
        if run.state == "WAITING":
            self._end(run, "STOPPED")
        elif run.state != "STOPPING":
            run.enter("STOPPING", self._timeline.now())
            self._scripts.interrupt(run.id)
            self._later(self._settings.stop_seconds, run, self._end, "STOPPED")

    def fail_runs_in(self, availability_zone: str) -> None:
        """End the runs that lost their nodes with a zone."""
        with self._timeline.lock:
            for run in list(self._unreleased.values()):
                subnet = self._subnet(run) if run.addresses else None
                if subnet is not None and subnet.availability_zone == availability_zone:
                    self._end(run, "FAILED", failures.zone_lost())

    def end_all(self) -> None:
        """Stop every live run at once; no ended one keeps its addresses or its slot any longer."""
        with self._timeline.lock:
            for run in list(self._unreleased.values()):
                self._end(run, "STOPPED")
                _give_slot_back(run)
                self._release(run)

    def _choose(self, run: JobRun) -> str | None:
        """Place the run and let it start, or fail; a reason to wait if it may be queued."""
        found = run.placement or place(run.connection_names, self._connections, self._network)
        delay = self._settings.start_delay_seconds
        if isinstance(found, Placement):
            run.placement = found
            self._later(delay, run, self._allocate, self._planned_failure(run))
            return None
        if found.reason == "addresses" and run.definition.get("JobRunQueuingEnabled"):
            return f"number of IP addresses on subnet is 0: {found.evidence}"
        self._later(delay, run, self._end, "FAILED", _refusal_text(run, found))
        return None

    def _check_queued(self, run: JobRun, slot_is_free: Callable[[], bool]) -> None:
        if run.state != "WAITING":
            return
        if slot_is_free():
            run.enter("STARTING", self._timeline.now())
            run.holds_slot = True
            if self._choose(run) is None:
                run.state_detail = None
                self._waiting.remove(run)
                return
            run.enter("WAITING", self._timeline.now())
            run.holds_slot = False
        self._later(_QUEUE_CHECK_SECONDS, run, self._check_queued, slot_is_free)

    def _allocate(self, run: JobRun, planned: PlannedFailure | None) -> None:
        if run.state != "STARTING":
            return
        if planned is not None and planned.after_seconds == 0:
            self._end(run, planned.state, planned.error_message)
            return
        refusal = self._take_addresses(run)
        if refusal is not None:
            self._end(run, "FAILED", refusal)
            return
        if planned is not None:
            self._later(planned.after_seconds, run, self._end, planned.state, planned.error_message)
        self._begin(run)

    def _take_addresses(self, run: JobRun) -> str | None:
        assert run.placement is not None
        subnet_id = run.placement.subnet_id
        if subnet_id is None:
            run.nodes_had = run.nodes_wanted
            return None
        subnet = self._network.state(subnet_id)
        if subnet is None:
            return failures.no_valid_connection(run.job_name, run.id)
        if not subnet.is_zone_up:
            return failures.zone_lost()
        run.addresses = self._network.allocate(
            subnet_id,
            run.nodes_wanted,
            description=f"Attached to Glue using role: {run.definition['Role']}",
            security_group_ids=run.placement.security_group_ids,
        )
        run.nodes_had = len(run.addresses)
        if run.nodes_had < min(_LEAST_NODES, run.nodes_wanted):
            return failures.too_few_addresses()
        return None

    def _begin(self, run: JobRun) -> None:
        now = self._timeline.now()
        run.enter("RUNNING", now)
        run.running_since = now
        if run.timeout_minutes:  # a streaming job's 0 is no time-out
            timeout_seconds = run.timeout_minutes * self._settings.timeout_minute_seconds
            self._later(timeout_seconds, run, self._end, "TIMEOUT")
        seconds = self._settings.run_seconds * run.nodes_wanted / run.nodes_had
        if not (self._settings.run_scripts and self._scripts.can_run(run)):
            self._later(seconds, run, self._end, "SUCCEEDED")
            return
        try:
            ended = functools.partial(self._script_ended, run, now + seconds)
            self._scripts.start(run, ended)
        except ScriptMissing as missing:
            self._end(run, "FAILED", failures.script_not_found(missing.bucket, missing.key))

    def _script_ended(self, run: JobRun, not_before: float, exit_code: int) -> None:
        with self._timeline.lock:
            if run.state != "RUNNING":
                return
            if exit_code != 0:
                self._end(run, "FAILED", failures.script_failed(exit_code))
            else:
                seconds = max(0.0, not_before - self._timeline.now())
                self._later(seconds, run, self._end, "SUCCEEDED")

    def _end(self, run: JobRun, state: str, error_message: str | None = None) -> None:
        if not run.is_live or (run.state == "STOPPING" and state != "STOPPED"):
            return
        now = self._timeline.now()
        run.enter(state, now)
        run.completed_on = now
        run.error_message = error_message
        run.state_detail = None
        if run in self._waiting:
            self._waiting.remove(run)
        self._scripts.kill(run.id)
        self._after_lag(self._settings.release_lag_seconds, run, self._release)
        self._after_lag(self._settings.slot_lag_seconds, run, _give_slot_back)
        if state == "FAILED" and run.attempt < run.definition.get("MaxRetries", 0):
            self._retry(run)

    def _retry(self, run: JobRun) -> None:
        attempt = retry_of(run, self._timeline.now())
        subnet = self._subnet(run)
        if subnet is not None and not subnet.is_zone_up:
            attempt.placement = None
        run.holds_slot = False
        self._added(attempt)
        self.submit(attempt, slot_is_free=lambda: True)

    def _release(self, run: JobRun) -> None:
        self._network.release(run.addresses)
        run.addresses = []
        self._unreleased.pop(run.id, None)

    def _subnet(self, run: JobRun) -> SubnetState | None:
        if run.placement is None or run.placement.subnet_id is None:
            return None
        return self._network.state(run.placement.subnet_id)

    def _planned_failure(self, run: JobRun) -> PlannedFailure | None:
        for failure in self._failures:
            if failure.times > 0 and fnmatchcase(run.job_name, failure.job_name_pattern):
                failure.times -= 1
                return failure
        return None

    def _after_lag(self, seconds: float, run: JobRun, action: Callable[[JobRun], None]) -> None:
        """Without a lag it has happened by the time that the end of the run can be seen."""
        if seconds > 0:
            self._later(seconds, run, action)
        else:
            action(run)

    def _later(
        self, seconds: float, run: JobRun, action: Callable[..., None], *arguments: object
    ) -> None:
        self._timeline.after(seconds, functools.partial(action, run, *arguments))


def _refusal_text(run: JobRun, refusal: NoPlace) -> str:
    if refusal.reason == "addresses":
        return failures.no_addresses(run.job_name, run.id, refusal.evidence)
    if refusal.reason == "setting":
        return failures.wrong_setting(run.job_name, run.id, refusal.evidence)
    if refusal.reason == "zone":
        return failures.zone_not_available(run.job_name, run.id, refusal.evidence)
    return failures.no_valid_connection(run.job_name, run.id)


def _give_slot_back(run: JobRun) -> None:
    run.holds_slot = False
