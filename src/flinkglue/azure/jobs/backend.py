"""An HDInsight on AKS Flink cluster as a place for the eleven actions, over ARM.

ARM's own NEW, STOP, START, SAVEPOINT, LIST_SAVEPOINT, CANCEL, DELETE and, for a job that has ended,
STATELESS_UPDATE are the primitives. Its UPDATE, LAST_STATE_UPDATE and RE_LAUNCH are not used: they
end the old job and start the new one in one step that nobody can verify or take back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from flinkglue.azure.arm.client import ArmClient
from flinkglue.azure.arm.timeouts import ArmTimeouts
from flinkglue.azure.jobs.actions import JobActions
from flinkglue.azure.jobs.launch import JobLauncher
from flinkglue.azure.jobs.launch_request import run_job_of
from flinkglue.azure.jobs.rows import (
    is_in_progress,
    is_launching,
    launch_has_failed,
    launched_as,
    row_of,
    view_of,
)
from flinkglue.azure.jobs.submission import OperationFailed, Submission
from flinkglue.azure.jobs.tracked_request import Observation
from flinkglue.azure.models import ArmFlinkJob, FlinkClusterId, choose_row
from flinkglue.errors import BadEndpoint, CallFailed, ServiceUnavailable
from flinkglue.http.faults import nobody_is_there
from flinkglue.lifecycle.backend import (
    CannotList,
    FlinkBackend,
    Launch,
    LaunchRefused,
    OnSavepoint,
    RetainedState,
    SavepointFailed,
    SavepointRequest,
    StoredSavepoints,
    nobody_listens,
)
from flinkglue.lifecycle.models import Jar, JobSpec, JobView, Savepoint, SourceLag
from flinkglue.lifecycle.slots import Slots
from flinkglue.lifecycle.state_paths import distinct, is_one_of

HoldsJar = Callable[[Jar], bool]
"""Whether exactly this content lies at the jar's address."""


class ArmBackend:
    """A ``FlinkBackend`` over ARM.

    Args:
        holds_jar: Looks into the storage that job jars lie in.
        flink: The cluster's own JobManager, where it can be reached. Without it ARM's word is taken
            for a job's state, plans are not checked, checkpoints are not seen and savepoints are
            not disposed of.
    """

    name = "HDInsight on AKS"
    takes_job_ids = False

    def __init__(
        self,
        arm: ArmClient,
        cluster: FlinkClusterId,
        holds_jar: HoldsJar,
        *,
        flink: FlinkBackend | None = None,
        timeouts: ArmTimeouts | None = None,
    ) -> None:
        self._arm = arm
        self._cluster = cluster
        self._holds_jar = holds_jar
        self._flink = flink
        submission = Submission(arm, cluster, timeouts or ArmTimeouts())
        self._actions = JobActions(submission, self._observe, self._newest_stored)
        self._launcher = JobLauncher(self._actions, self.view, flink=flink)

    @contextmanager
    def guarded(self, check: Callable[[], None]) -> Iterator[None]:
        with ExitStack() as guards:
            guards.enter_context(self._arm.guarded(check))
            if self._flink is not None:
                guards.enter_context(self._flink.guarded(check))
            yield

    def find(self, job_name: str) -> list[JobView]:
        """The jobs that carry this name, newest first.

        A launch in progress is one, under the name that ``view`` knows it by until it names a job.
        Other rows that name no job are left out.
        """
        rows = [row for row in self._rows(job_name) if row.job_id or is_launching(row)]
        views = [
            _being_launched(row) if is_launching(row) else self._observe_row(row).view
            for row in reversed(rows)
        ]
        found = {view.job_id: view for view in reversed(views) if view is not None}
        return sorted(found.values(), key=lambda view: view.started_at, reverse=True)

    def view(self, job_id: str) -> JobView | None:
        """None only when neither ARM nor, where it is reached, Flink knows it."""
        return self._observe(job_id).view

    def check_jar(self, spec: JobSpec) -> int:
        """Check the request to ARM, the jar's content and, where Flink is reached, its plan."""
        run_job_of(spec)
        self._check_content(spec)
        if self._flink is None:
            return 0
        try:
            return self._flink.check_jar(spec)
        finally:
            # The plan needed a copy on the JobManager; ARM runs the jar from storage.
            self._flink.keep_jars(spec.job_name, frozenset())

    def has_jar(self, spec: JobSpec) -> bool:
        """Whether exactly this content still lies in storage."""
        return self._holds_jar(spec.jar)

    def live_before_launch(self, job_name: str) -> frozenset[str]:
        """What Flink itself shows, where it is reached: ARM has no row of a stray job."""
        return self._launcher.live_in_flink(job_name)

    def submit(self, launch: Launch) -> JobView:
        self._check_content(launch.spec)
        return self._launcher.submit(launch)

    def stop_with_savepoint(
        self, request: SavepointRequest, observed: OnSavepoint = nobody_listens
    ) -> str:
        return self._actions.stop(request, observed)

    def savepoint(self, request: SavepointRequest) -> str:
        return self._actions.savepoint(request)

    def cancel(self, job_id: str) -> JobView | None:
        if self._flink is not None and row_of(self._rows(), job_id) is None:
            return self._flink.cancel(job_id)  # ARM has forgotten it, Flink may still run it
        return self._actions.cancel(job_id)

    def newest_checkpoint(
        self, job_id: str, *, settings: Mapping[str, str], observed_path: str | None
    ) -> RetainedState | None:
        if self._flink is None:
            raise CannotList(
                "ARM lists no checkpoints: fill in the Flink REST URL in the cluster's block"
            )
        return self._flink.newest_checkpoint(job_id, settings=settings, observed_path=observed_path)

    def stored_at(self, path: str) -> float | None:
        if self._flink is None:
            raise CannotList("ARM lists no storage: fill in the Flink REST URL in the block")
        return self._flink.stored_at(path)

    def stored_savepoints(
        self, job_name: str, job_ids: frozenset[str], *, only_listed: bool = False
    ) -> StoredSavepoints:
        """What lies in the directories; where one cannot be listed, ARM's own list as well."""
        stored = StoredSavepoints(not_listed=("the list is ARM's: no Flink REST URL is filled in",))
        if self._flink is not None:
            stored = self._flink.stored_savepoints(job_name, job_ids)
        requests_list = bool(stored.not_listed) and not only_listed
        return self._with_arms_list(job_name, stored) if requests_list else stored

    def _newest_stored(self, job_id: str) -> str | None:
        if self._flink is None:
            return None
        stored = self._flink.stored_savepoints("", frozenset({job_id})).savepoints
        return stored[0].path if stored else None

    def _with_arms_list(self, job_name: str, stored: StoredSavepoints) -> StoredSavepoints:
        row = self._row(job_name)
        try:
            paths = self._actions.list_savepoints(row) if row else []
        except (CannotList, OperationFailed) as error:
            return replace(stored, not_listed=(*stored.not_listed, str(error)))
        observed = [savepoint.path for savepoint in stored.savepoints]
        further = [
            Savepoint(job_name, "", path, taken_at=0.0)
            for path in distinct(paths)
            if not is_one_of(path, observed)
        ]
        return replace(stored, savepoints=(*stored.savepoints, *further))

    def dispose_savepoint(self, path: str) -> None:
        if self._flink is None:
            raise SavepointFailed(
                f"ARM has no action that deletes {path}: fill in the cluster's Flink REST URL"
            )
        self._flink.dispose_savepoint(path)

    def keep_jars(self, job_name: str, sha256s: frozenset[str]) -> None:
        """Nothing to do: ARM runs jars from storage, where they belong to who put them there."""

    def forget(self, job_name: str) -> None:
        """Delete the job's rows. In Application Mode that would delete the cluster: they stay."""
        rows = self._rows(job_name)
        if rows and not self._arm.get_cluster(self._cluster).is_application:
            for row in rows:
                self._actions.delete(row)

    def source_lag(self, job_id: str) -> SourceLag:
        return self._flink.source_lag(job_id) if self._flink else SourceLag()

    def taskmanagers(self) -> int | None:
        return self._flink.taskmanagers() if self._flink else None

    def flink_version(self) -> str:
        """The version that Flink reports, or else ARM."""
        if self._flink is not None:
            return self._flink.flink_version()
        return self._arm.get_cluster(self._cluster).oss_version or ""

    def slots(self, job_id: str, needed: int) -> Slots | None:
        return self._flink.slots(job_id, needed) if self._flink else None

    def settings(self) -> Mapping[str, str]:
        """The JobManager's settings; none where it is not reached."""
        return self._flink.settings() if self._flink else {}

    def is_application_cluster(self) -> bool:
        return self._arm.get_cluster(self._cluster).is_application

    def has_left(self, error: CallFailed) -> bool:
        return nobody_is_there(error, error.status, error.evidence)

    def answers_lag_seconds(self) -> float:
        """How old Flink's answers are; ARM's row shows the state together with an action's end."""
        return self._flink.answers_lag_seconds() if self._flink else 0.0

    def _check_content(self, spec: JobSpec) -> None:
        if not self.has_jar(spec):
            raise LaunchRefused(
                f"{spec.jar.uri} does not hold sha256 {spec.jar.sha256[:12]}…: ARM runs what lies "
                "there, so give each release of a jar an address of its own"
            )

    def _rows(self, job_name: str | None = None) -> list[ArmFlinkJob]:
        return self._arm.list_jobs(self._cluster, job_name)

    def _row(self, job_name: str) -> ArmFlinkJob | None:
        return choose_row(self._rows(job_name), job_name)

    def _observe(self, job_id: str) -> Observation:
        row = row_of(self._rows(), job_id)
        if row is not None:
            return self._observe_row(row, job_id)
        # START gave its row another job; Flink may still know the old one.
        view = self._flink.view(job_id) if self._flink else None
        return Observation(None, view, view.savepoint_path if view else None)

    def _observe_row(self, row: ArmFlinkJob, requested_id: str = "") -> Observation:
        if requested_id and requested_id == launched_as(row) != row.job_id:
            # The row still names the job before this launch.
            if is_in_progress(row):
                return Observation(row, _being_launched(row))
            if row.job_id is not None and launch_has_failed(row):
                return Observation(row, None)
        if self._flink is None or row.job_id is None:
            return Observation(row, view_of(row))
        try:
            flink = self._flink.view(row.job_id)
        except (ServiceUnavailable, BadEndpoint):
            # An application's JobManager leaves with its job: then ARM's word is all there is.
            if not (view_of(row).is_terminal and self.is_application_cluster()):
                raise
            return Observation(row, view_of(row))
        if flink is None and not view_of(row).is_terminal:
            return Observation(row, None)  # Flink lost it; ARM's row has not noticed
        return Observation(row, view_of(row, flink), flink.savepoint_path if flink else None)


def _being_launched(row: ArmFlinkJob) -> JobView:
    return JobView(launched_as(row), row.job_name or "", "CREATED", tasks_known=False)
