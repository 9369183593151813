"""Where a cluster writes savepoints and checkpoints, and what lies there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from flinkglue.flink.state_storage import StateStorage, StoredState
from flinkglue.lifecycle.backend import CannotList, StoredSavepoints
from flinkglue.lifecycle.models import Savepoint

# Their names from 1.20 on, and up to 1.19.
_SAVEPOINT_DIRECTORY = ("execution.checkpointing.savepoint-dir", "state.savepoints.dir")
_CHECKPOINT_DIRECTORY = ("execution.checkpointing.dir", "state.checkpoints.dir")


class StateDirectories:
    """The directories of one cluster.

    Args:
        storage: How to list them.
        settings: The JobManager's settings.
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

        Flink's directory names tell six digits of the job id, so a stranger's may be among them.
        """
        directories = dict.fromkeys(filter(None, (self._savepoint_directory, self._configured())))
        if not directories:
            reason = "the cluster names no savepoint directory, and neither does its block"
            return StoredSavepoints(not_listed=(reason,))
        found: dict[str, StoredState] = {}
        listed, not_listed = [], []
        for directory in directories:
            try:
                states = self._storage.savepoints(directory, job_ids)
            except CannotList as error:
                not_listed.append(str(error))
                continue
            listed.append(directory)
            found |= {state.path: state for state in states}
        newest_first = sorted(found.values(), key=lambda state: (-state.taken_at, state.path))
        savepoints = tuple(_savepoint(job_name, state) for state in newest_first)
        return StoredSavepoints(savepoints, tuple(listed), tuple(not_listed))

    def newest_checkpoint(self, job_id: str) -> str | None:
        """The newest complete checkpoint of a job.

        Raises:
            CannotList: There is no way to list the directory, or the cluster names none.
        """
        directory = self._setting(_CHECKPOINT_DIRECTORY)
        if directory is None:
            raise CannotList("the cluster names no checkpoint directory")
        newest = self._storage.newest_checkpoint(directory, job_id)
        return newest.path if newest else None

    def _configured(self) -> str | None:
        return self._setting(_SAVEPOINT_DIRECTORY)

    def _setting(self, names: Sequence[str]) -> str | None:
        settings = self._settings()
        return next((settings[name] for name in names if settings.get(name)), None)


def _savepoint(job_name: str, state: StoredState) -> Savepoint:
    return Savepoint(
        job_name=job_name,
        job_id="",
        path=state.path,
        taken_at=state.taken_at,
        size_bytes=state.size_bytes,
    )
