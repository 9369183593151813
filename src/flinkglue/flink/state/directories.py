"""Where a cluster writes savepoints and checkpoints, and what lies there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from flinkglue.flink.state.storage import StateStorage, StoredState
from flinkglue.lifecycle.backend import CannotList, RetainedState, StoredSavepoints
from flinkglue.lifecycle.models import Savepoint
from flinkglue.lifecycle.state_paths import distinct, plain

# Their names from 1.20 on, and up to 1.19.
_SAVEPOINT_DIRECTORY = ("execution.checkpointing.savepoint-dir", "state.savepoints.dir")
_HIDDEN = "the cluster does not show its settings, which name its savepoint directory"
_CHECKPOINT_DIRECTORY = ("execution.checkpointing.dir", "state.checkpoints.dir")


class StateDirectories:
    """The directories of one cluster.

    Args:
        savepoint_directory: A further one that savepoints are written to; None: the cluster's only.
    """

    def __init__(
        self,
        storage: StateStorage,
        settings: Callable[[], Mapping[str, str]],
        savepoint_directory: str | None = None,
    ) -> None:
        self._storage = storage
        self._settings = settings
        self._savepoint_directory = savepoint_directory

    def savepoints(self, job_name: str, job_ids: frozenset[str]) -> StoredSavepoints:
        """The complete savepoints of these jobs, newest first.

        Flink's directory names have six digits of the job id, so another job's may be among them.
        """
        settings = self._settings()
        configured = _setting(settings, _SAVEPOINT_DIRECTORY)
        directories = distinct((self._savepoint_directory, configured))
        if not directories and settings:
            reason = "the cluster names no savepoint directory, and neither does its block"
            return StoredSavepoints(not_listed=(reason,))
        found: dict[str, StoredState] = {}
        listed: list[str] = []
        not_listed = [] if settings else [_HIDDEN]
        for directory in directories:
            try:
                states = self._storage.savepoints(directory, job_ids)
            except CannotList as error:
                not_listed.append(str(error))
                continue
            listed.append(directory)
            found |= {plain(state.path): state for state in states}
        newest_first = sorted(found.values(), key=lambda state: (-state.taken_at, state.path))
        savepoints = tuple(_savepoint(job_name, state) for state in newest_first)
        return StoredSavepoints(savepoints, tuple(listed), tuple(not_listed))

    def newest_checkpoint(
        self, job_id: str, settings: Mapping[str, str], observed_path: str | None
    ) -> RetainedState | None:
        """The newest complete checkpoint of a job.

        Args:
            observed_path: A checkpoint of it that was seen: where it lies, all of them do, whatever
                the settings say, because what the job's code sets wins.

        Raises:
            CannotList: There is no way to list the directory, or none is named.
        """
        directories = _checkpoint_directories(job_id, settings, self._settings(), observed_path)
        if not directories:
            raise CannotList("neither the job nor the cluster names a checkpoint directory")
        found, unlisted = [], None
        for directory in directories:
            try:
                found.append(self._storage.newest_checkpoint(directory, job_id))
            except CannotList as error:
                unlisted = error
        newest = max(filter(None, found), key=lambda state: state.number, default=None)
        if newest is None and unlisted is not None:
            raise unlisted
        return RetainedState(newest.path, newest.taken_at) if newest else None

    def stored_at(self, path: str) -> float | None:
        """When the savepoint or checkpoint at this address was completed; None: none is there.

        Raises:
            CannotList: There is no way to list it.
        """
        return self._storage.completed_at(path)


def _checkpoint_directories(
    job_id: str, own: Mapping[str, str], clusters: Mapping[str, str], observed_path: str | None
) -> list[str]:
    """Where the job's checkpoints may lie: an older Flink ignores the newer name of a setting."""
    if observed_path:
        directory, _, last = observed_path.rstrip("/").rpartition("/")[0].rpartition("/")
        if last != job_id:
            raise CannotList(f"{observed_path} is not in a directory of job {job_id} alone")
        return [directory]
    named = (_setting(settings, _CHECKPOINT_DIRECTORY) for settings in (own, clusters))
    return distinct(named)


def _setting(settings: Mapping[str, str], names: Sequence[str]) -> str | None:
    return next((settings[name] for name in names if settings.get(name)), None)


def _savepoint(job_name: str, state: StoredState) -> Savepoint:
    return Savepoint(
        job_name=job_name,
        job_id="",
        path=state.path,
        taken_at=state.taken_at,
        size_bytes=state.size_bytes,
        format="",
    )
