"""One listed job on its Flink: what each action does there, step by step."""

from __future__ import annotations

import logging
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from flinkglue.errors import CallFailed, Conflict, FlinkGlueError, InDoubt, NotFound
from flinkglue.flink.api.lifecycle_rest import AsyncOperation, FlinkLifecycleClient
from localcloud.azure.arm.jobs.jars import JarStore, JarUnreadable
from localcloud.azure.arm.jobs.jobs import ClusterJob

_OWN_KEYS = ("parallelism", "savepoint.directory")
"""Keys of ``flinkConfiguration`` that the service itself understands."""
_POD_DIRECTORIES = ("/opt/flink/", "/tmp/")
_LAUNCH_SECONDS = 300.0
_ACTION_SECONDS = 60.0
_PAUSE_SECONDS = 0.1


@dataclass(frozen=True)
class FlinkTarget:
    """The Flink that stands behind a cluster.

    Args:
        connect: Opens a client with a time-out in seconds.
        image_root: The directory that stands for the file system of the cluster's pods.
        savepoints: The directory that savepoints are written to, as a URI.
    """

    connect: Callable[[float], FlinkLifecycleClient]
    image_root: Path
    savepoints: str


class FlinkJob:
    """A row of the job list and the Flink that its job runs on.

    Every method ends with the outcome in the row; a ``CallFailed`` is left to the caller.

    Args:
        job: The row.
        jars: Where job jars come from.
        target: The Flink.
    """

    def __init__(self, job: ClusterJob, jars: JarStore, target: FlinkTarget) -> None:
        self._job = job
        self._jars = jars
        self._target = target

    def launch(self, savepoint: str | None = None) -> None:
        """Run the jar under a fresh Flink job id."""
        flink_job_id = uuid.uuid4().hex
        try:
            self._run(flink_job_id, savepoint)
        except InDoubt:
            # Flink may run it: the list of its jobs tells from now on.
            self._job.submitted(flink_job_id)
        except CallFailed as error:
            self._job.launch_failed(error.reason)
        except (JarUnreadable, FlinkGlueError, OSError) as error:
            self._job.launch_failed(str(error))
        else:
            self._job.submitted(flink_job_id)

    def new(self, save_point_name: str | None) -> None:
        """Run for the first time, from a savepoint when one is named."""
        self.launch(self._resolve(save_point_name) if save_point_name else None)

    def savepoint(self) -> None:
        """Take a savepoint; the job goes on."""
        operation = self._save(stop=False)
        if operation.location:
            self._job.saved(operation.location)
        else:
            self._job.action_failed(operation.failure or "No savepoint was written in time.")

    def stop(self) -> None:
        """Stop with a savepoint."""
        savepoint = self._stop()
        if savepoint:
            self._job.stopped(savepoint)

    def start(self, save_point_name: str | None) -> None:
        """Run from a savepoint, by default from the last one."""
        savepoint = self._resolve(save_point_name)
        if self._is_alive():
            self._job.action_failed("The job is running.")
        elif savepoint is None:
            self._job.action_failed("The job has no savepoint to start from.")
        else:
            self.launch(savepoint)

    def update(self, save_point_name: str | None) -> None:
        """Stop with a savepoint and run the newest jar from it, or from the named one."""
        savepoint = self._stop()
        if savepoint:
            # Not marked as stopped: the action is in progress until the new jar runs.
            self._job.kept(savepoint)
            self.launch(self._resolve(save_point_name))

    def stateless_update(self) -> None:
        """Cancel and run the newest jar without any state."""
        self._end_alive()
        self.launch()

    def last_state_update(self) -> None:
        """Run the newest jar from the latest checkpoint; without one, nothing is touched."""
        checkpoint = self._latest_checkpoint()
        if checkpoint is None:
            self._job.action_failed("The job has no completed checkpoint.")
            return
        self._end_alive()
        self.launch(checkpoint)

    def relaunch(self) -> None:
        """Run a failed job again: from its latest checkpoint, else its last savepoint, else new."""
        state = self._latest_checkpoint() or self._job.last_save_point
        self._end_alive()
        self.launch(state)

    def cancel(self) -> None:
        """Cancel the job for good."""
        flink_job_id = self._flink_job_id()
        with self._target.connect(_ACTION_SECONDS) as flink:
            flink.cancel(flink_job_id)
        self._job.submitted(flink_job_id)

    def _run(self, flink_job_id: str, savepoint: str | None) -> None:
        properties = self._job.properties
        configuration = properties.get("flinkConfiguration") or {}
        jar = self._jars.fetch(properties["jobJarDirectory"], properties["jarName"])
        with self._target.connect(_LAUNCH_SECONDS) as flink:
            jar_id = _upload(flink, jar, properties["jarName"])
            try:
                flink.run_jar(
                    jar_id,
                    job_id=flink_job_id,
                    entry_class=properties["entryClass"],
                    program_args=pod_arguments(properties.get("args"), self._target.image_root),
                    parallelism=int(configuration["parallelism"]),
                    savepoint_path=savepoint,
                    flink_configuration={
                        key: value for key, value in configuration.items() if key not in _OWN_KEYS
                    },
                )
            finally:
                _delete(flink, jar_id)

    def _stop(self) -> str | None:
        """The savepoint that the job was stopped with; without one, the row says why."""
        try:
            operation = self._save(stop=True)
        except CallFailed as error:
            self._job.stop_failed(error.reason)
            return None
        if not operation.location:
            self._job.stop_failed(operation.failure or "The job did not stop in time.")
            return None
        self._await_end()
        return operation.location

    def _save(self, *, stop: bool) -> AsyncOperation:
        flink_job_id, trigger_id = self._flink_job_id(), uuid.uuid4().hex
        with self._target.connect(_ACTION_SECONDS) as flink:
            if stop:
                flink.stop(flink_job_id, trigger_id, self._target.savepoints, drain=False)
            else:
                flink.trigger_savepoint(flink_job_id, trigger_id, self._target.savepoints)
            give_up_at = time.monotonic() + _ACTION_SECONDS
            while time.monotonic() < give_up_at:
                operation = flink.savepoint_operation(flink_job_id, trigger_id)
                if operation is not None and operation.completed:
                    return operation
                time.sleep(_PAUSE_SECONDS)
        return AsyncOperation(completed=False)

    def _flink_job_id(self) -> str:
        if self._job.flink_job_id is None:
            raise NotFound("Flink", "Find", self._job.job_name, "The job never ran.")
        return self._job.flink_job_id

    def _resolve(self, save_point_name: str | None) -> str | None:
        """A savepoint by name or full path; by default the last one."""
        if save_point_name is None:
            return self._job.last_save_point
        if "/" in save_point_name:
            return save_point_name
        return f"{self._target.savepoints.rstrip('/')}/{save_point_name}"

    def _latest_checkpoint(self) -> str | None:
        if self._job.flink_job_id is None:
            return None
        try:
            with self._target.connect(_ACTION_SECONDS) as flink:
                latest = flink.checkpoints(self._job.flink_job_id).latest_completed
        except NotFound:
            return None
        return latest.external_path if latest is not None and not latest.discarded else None

    def _is_alive(self) -> bool:
        if self._job.flink_job_id is None:
            return False
        try:
            with self._target.connect(_ACTION_SECONDS) as flink:
                return not flink.job(self._job.flink_job_id).is_terminal
        except NotFound:
            return False

    def _end_alive(self) -> None:
        if not self._is_alive():
            return
        with self._target.connect(_ACTION_SECONDS) as flink:
            try:
                flink.cancel(self._flink_job_id())
            except Conflict:
                return
        self._await_end()

    def _await_end(self) -> None:
        give_up_at = time.monotonic() + _ACTION_SECONDS
        while self._is_alive() and time.monotonic() < give_up_at:
            time.sleep(_PAUSE_SECONDS)


def _upload(flink: FlinkLifecycleClient, jar: bytes, jar_name: str) -> str:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / Path(jar_name).name
        file.write_bytes(jar)
        return flink.upload_jar(file)


def _delete(flink: FlinkLifecycleClient, jar_id: str) -> None:
    try:
        flink.delete_jar(jar_id)
    except CallFailed as fault:  # a jar too many is no reason to forget how the launch ended
        logging.getLogger(__name__).warning("%s", fault)


def pod_arguments(arguments: str | None, image_root: Path) -> list[str]:
    """The words of ``args``; paths of the pods' file system lead into the image directory."""
    return pod_words((arguments or "").split(), image_root)


def pod_words(words: Iterable[str], image_root: Path) -> list[str]:
    """Arguments as a list; paths of the pods' file system lead into the image directory."""
    return [f"{image_root}{word}" if word.startswith(_POD_DIRECTORIES) else word for word in words]
