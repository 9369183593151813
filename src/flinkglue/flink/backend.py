"""Any live Flink cluster as a place for the eleven actions, over its JobManager's REST API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, TypeVar

from flinkglue.errors import (
    BadEndpoint,
    CallFailed,
    Conflict,
    NotFound,
    PermissionDenied,
    ServiceUnavailable,
)
from flinkglue.flink.api.failures import FlinkRefused, NotOffered
from flinkglue.flink.api.lifecycle_rest import CheckpointConfig, FlinkLifecycleClient
from flinkglue.flink.cluster_kind import is_application, why_it_grows
from flinkglue.flink.jars.sources import JarSource
from flinkglue.flink.jars.uploaded import UploadedJars
from flinkglue.flink.job_view import job_view
from flinkglue.flink.launch.job_launch import JobLauncher
from flinkglue.flink.launch.main_method import in_words
from flinkglue.flink.launch.program_run import ProgramRun, run_of
from flinkglue.flink.state.directories import StateDirectories
from flinkglue.flink.state.savepoints import SavepointOperations
from flinkglue.flink.state.storage import StateStorage
from flinkglue.flink.timeouts import FlinkTimeouts
from flinkglue.http.faults import nobody_is_there
from flinkglue.lifecycle.backend import (
    Launch,
    LaunchRefused,
    OnSavepoint,
    RetainedState,
    SavepointRequest,
    StoredSavepoints,
    nobody_listens,
)
from flinkglue.lifecycle.models import JobSpec, JobView, SourceLag
from flinkglue.lifecycle.slots import Slots

T = TypeVar("T")
# A gateway may let through what is needed alone; a TaskManager may leave while it is looked at.
_NOT_REPORTED = (PermissionDenied, NotFound, NotOffered)
_REFRESH_MS = 3000  # Flink's default of web.refresh-interval


class RestBackend:
    """A ``FlinkBackend`` over the JobManager's REST API.

    Args:
        storage: Reads the savepoint and checkpoint directories; None: nobody here can.
        savepoint_directory: Where savepoints are written besides the cluster's own directory.
        check_plan: Whether Flink makes a plan of a jar before anything is changed, for which it
            runs ``main()`` once more. Without, a bad jar shows only when it is launched.
    """

    name = "Flink REST"
    takes_job_ids = True

    def __init__(
        self,
        client: FlinkLifecycleClient,
        jars: JarSource,
        *,
        storage: StateStorage | None = None,
        savepoint_directory: str | None = None,
        timeouts: FlinkTimeouts | None = None,
        check_plan: bool = True,
    ) -> None:
        self._client = client
        self._timeouts = timeouts or FlinkTimeouts()
        self._check_plan = check_plan
        self._configs: dict[str, CheckpointConfig] = {}
        self._directories = StateDirectories(
            storage or StateStorage({}), self.settings, savepoint_directory
        )
        self._uploaded = UploadedJars(client, jars, self._timeouts)
        self._launcher = JobLauncher(
            client, self._uploaded.ensure, self.view, self._settings, self._timeouts
        )
        self._savepoints = SavepointOperations(client, self.view, self._directories, self._timeouts)

    def guarded(self, check: Callable[[], None]) -> AbstractContextManager[None]:
        return self._client.guarded(check)

    def _settings(self) -> dict[str, str]:
        return self._timeouts.retry(self._client.jobmanager_config)

    def find(self, job_name: str) -> list[JobView]:
        """The jobs that carry this name, newest first; what the job's code calls itself wins."""
        jobs = self._timeouts.retry(self._client.jobs)
        named = [job for job in jobs if job.job_name == job_name]
        return sorted(named, key=lambda view: view.started_at, reverse=True)

    def view(self, job_id: str) -> JobView | None:
        """The job as it is now; None only when the JobManager says that it does not exist."""
        return self._timeouts.retry(lambda: job_view(self._client, job_id, self._configs))

    def check_jar(self, spec: JobSpec) -> int:
        """Upload the jar unless it is there, and let Flink plan it, unless that is switched off."""
        self._uploaded.check_taken()
        with self._uploaded.tried(spec) as jar_id:
            # A launch has to know the settings too: better now, before anything is stopped.
            run = run_of(spec, jar_id, self._settings)
            return self._make_plan(spec, jar_id, run) if self._check_plan else 0

    def _make_plan(self, spec: JobSpec, jar_id: str, run: ProgramRun) -> int:
        try:
            return self._timeouts.retry(
                lambda: self._client.plan_jar(
                    jar_id,
                    entry_class=run.entry_class,
                    program_args=run.args,
                    parallelism=spec.parallelism,
                    flink_configuration=run.flink_configuration,
                )
            )
        except FlinkRefused as error:
            raise LaunchRefused(
                f"Flink could not plan {spec.jar.uri}: {in_words(error)}"
            ) from error

    def has_jar(self, spec: JobSpec) -> bool:
        """Whether the jar lies on the JobManager, or still lies at its address."""
        return self._uploaded.has(spec)

    def live_before_launch(self, job_name: str) -> frozenset[str]:
        """None: a launch is known by its job id."""
        return frozenset()

    def submit(self, launch: Launch) -> JobView:
        return self._launcher.submit(launch)

    def stop_with_savepoint(
        self, request: SavepointRequest, observed: OnSavepoint = nobody_listens
    ) -> str:
        return self._savepoints.stop(request, observed)

    def savepoint(self, request: SavepointRequest) -> str:
        return self._savepoints.take(request)

    def cancel(self, job_id: str) -> JobView | None:
        """End the job without a savepoint, and return it when it has ended; None: it is gone.

        A cluster of one application that took the cancellation and is out of reach has left with
        its job, as it does then.
        """
        leaves_with: JobView | None = None
        polling = self._timeouts.polling(f"the cancellation of job {job_id}")
        while True:
            try:
                view = self.view(job_id)
            except (ServiceUnavailable, BadEndpoint) as error:  # its name may be gone with it
                if leaves_with is None or not self.has_left(error):
                    raise
                gone = replace(leaves_with, state="CANCELED", tasks_running=0)
                return replace(gone, out_of_reach=error.reason)
            if view is None or view.is_terminal:
                return view
            if view.state != "CANCELLING":
                is_application = self.is_application_cluster()  # later nobody may answer
                if self._ask_to_cancel(job_id) and is_application:
                    leaves_with = view
            polling.pause()

    def _ask_to_cancel(self, job_id: str) -> bool:
        """Whether Flink took it."""
        try:
            self._timeouts.retry(lambda: self._client.cancel(job_id))
        except (Conflict, NotFound):
            return False  # it ended meanwhile, as the next poll shows
        return True

    def newest_checkpoint(
        self, job_id: str, *, settings: Mapping[str, str], observed_path: str | None
    ) -> RetainedState | None:
        """The newest complete checkpoint in the directory of the job, or else of the cluster."""
        return self._directories.newest_checkpoint(job_id, settings, observed_path)

    def stored_at(self, path: str) -> float | None:
        return self._directories.stored_at(path)

    def stored_savepoints(
        self, job_name: str, job_ids: frozenset[str], *, only_listed: bool = False
    ) -> StoredSavepoints:
        """What lies in the cluster's savepoint directory, and in the one that was named here."""
        return self._directories.savepoints(job_name, job_ids)

    def dispose_savepoint(self, path: str) -> None:
        self._savepoints.dispose(path)

    def keep_jars(self, job_name: str, sha256s: frozenset[str]) -> None:
        """Delete the jars that were uploaded for this job, except these contents."""
        self._uploaded.keep(job_name, sha256s)

    def forget(self, job_name: str) -> None:
        """Delete all jars of this job; the JobManager forgets ended jobs by itself."""
        self.keep_jars(job_name, frozenset())

    def source_lag(self, job_id: str) -> SourceLag:
        """What its sources report; nothing where a gateway keeps metrics to itself.

        It is only shown, so an outage is not waited for.
        """
        try:
            return self._client.source_lag(job_id)
        except _NOT_REPORTED:
            return SourceLag()

    def taskmanagers(self) -> int | None:
        return self._timeouts.retry(self._client.overview).taskmanagers

    def flink_version(self) -> str:
        return self._timeouts.retry(self._client.overview).flink_version

    def slots(self, job_id: str, needed: int) -> Slots | None:
        """The cluster's task slots, and those of a job, as its TaskManagers report them."""
        observed = self._timeouts.retry(self._client.overview)
        total, free = observed.slots_total, observed.slots_available
        settings = self.settings()
        grows = why_it_grows(settings) if settings else "its settings are not reported"
        if needed <= free or needed > total:
            return Slots(total, free, total - free, grows)
        taken = self._reported(self._client.slots_of_jobs, None)
        of_job = total - free if taken is None else taken.count(job_id)
        return Slots(total, free, of_job, grows)

    def settings(self) -> Mapping[str, str]:
        """The JobManager's settings; none where a gateway keeps them to itself."""
        return self._reported(self._client.jobmanager_config, {})

    def is_application_cluster(self) -> bool:
        """Whether the cluster runs one application: its main() runs in the JobManager."""
        return is_application(self.settings())

    def has_left(self, error: CallFailed) -> bool:
        return nobody_is_there(error, error.status, error.evidence)

    def answers_lag_seconds(self) -> float:
        """How long the JobManager keeps what it answers about a job."""
        config = self._reported(self._client.config, dict[str, Any]())
        return float(config.get("refresh-interval") or _REFRESH_MS) / 1000 + 1

    def _reported(self, read: Callable[[], T], otherwise: T) -> T:
        """What the cluster reports; a gateway may let through what is needed alone."""
        try:
            return self._timeouts.retry(read)
        except _NOT_REPORTED:
            return otherwise
