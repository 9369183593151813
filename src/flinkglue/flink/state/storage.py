"""Savepoints and retained checkpoints as they lie in storage: Flink has no call that lists them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from flinkglue.addresses import local_path
from flinkglue.errors import CallFailed, InvalidInput, ServiceUnavailable, Throttled
from flinkglue.lifecycle.backend import CannotList, StoredFile
from flinkglue.lifecycle.state_paths import is_same_path

_SAVEPOINT = re.compile(r"savepoint-(?P<job>[0-9a-f]{6})-[0-9a-f]+")
_PREFIX_DIGITS = 6
_CHECKPOINT = re.compile(r"chk-(?P<number>[0-9]+)")
_METADATA = "_metadata"


ListFiles = Callable[[str], Iterable[StoredFile]]
"""Lists all files below an address, at any depth.

None when the bucket or container exists and nothing lies there: only that may be called gone.
"""


@dataclass(frozen=True)
class StoredState:
    """A complete savepoint or checkpoint: one that has its ``_metadata``."""

    path: str
    job_prefix: str
    number: int
    size_bytes: int
    taken_at: float


class StateStorage:
    """Looks into the directories that Flink writes its state to.

    Args:
        listers: How to list addresses of a scheme, for example ``{"s3": …}``. Give
            ``{"file": local_files}`` only where the cluster's disks are this machine's.
    """

    def __init__(self, listers: Mapping[str, ListFiles]) -> None:
        self._listers = listers

    def savepoints(self, directory: str, job_ids: Collection[str]) -> list[StoredState]:
        """The complete savepoints of these Flink jobs in a directory, newest first.

        Raises:
            CannotList: There is no way to list such an address, or its storage refused.
        """
        states = self._states(directory, _SAVEPOINT)
        prefixes = {job_id[:_PREFIX_DIGITS] for job_id in job_ids}
        return [state for state in states if state.job_prefix in prefixes]

    def newest_checkpoint(self, directory: str, job_id: str) -> StoredState | None:
        """The newest complete checkpoint of a Flink job.

        Raises:
            CannotList: There is no way to list such an address, or its storage refused.
        """
        states = self._states(f"{directory.rstrip('/')}/{job_id}", _CHECKPOINT)
        return max(states, key=lambda state: state.number, default=None)

    def completed_at(self, path: str) -> float | None:
        """When the savepoint or checkpoint at an address was completed; None: none is there.

        Raises:
            CannotList: There is no way to list such an address, or its storage refused.
        """
        directory = path.removesuffix(f"/{_METADATA}")
        files = self._files(directory)
        found = (
            file.modified_at
            for file in files
            if file.path.endswith(f"/{_METADATA}") and is_same_path(file.path, directory)
        )
        return next(found, None)

    def _states(self, directory: str, pattern: re.Pattern[str]) -> list[StoredState]:
        by_path: dict[str, list[StoredFile]] = {}
        for file in self._files(directory):
            parts = file.path.split("/")
            at = next((i for i, part in enumerate(parts[:-1]) if pattern.fullmatch(part)), None)
            if at is not None:
                by_path.setdefault("/".join(parts[: at + 1]), []).append(file)
        states = filter(None, (_state(path, files, pattern) for path, files in by_path.items()))
        return sorted(states, key=lambda state: (-state.taken_at, state.path))

    def _files(self, directory: str) -> list[StoredFile]:
        lister = self._lister(directory)
        try:
            return list(lister(directory))
        except (ServiceUnavailable, Throttled):
            raise  # the same call may succeed later
        except (CallFailed, InvalidInput) as error:
            # The block's credentials may be for other storage than the one that Flink writes to.
            raise CannotList(
                f"{directory} cannot be listed from here: {error}. To have it listed, give "
                "the cluster's block credentials of that storage with the permission to list it"
            ) from error

    def _lister(self, directory: str) -> ListFiles:
        scheme = directory.partition(":")[0] if ":" in directory else "file"
        lister = self._listers.get(scheme)
        if lister is None:
            known = ", ".join(f"{name}:" for name in sorted(self._listers)) or "no storage at all"
            raise CannotList(
                f"{directory} cannot be listed from here, which reads {known}: fill in the "
                "credentials of that storage in the cluster's block"
            )
        return lister


def _state(path: str, files: list[StoredFile], pattern: re.Pattern[str]) -> StoredState | None:
    metadata = next((file for file in files if file.path == f"{path}/{_METADATA}"), None)
    match = pattern.fullmatch(path.rsplit("/", 1)[-1])
    if metadata is None or match is None:
        return None
    named = match.groupdict()
    return StoredState(
        path=path,
        job_prefix=named.get("job", ""),
        number=int(named.get("number", 0)),
        size_bytes=sum(file.size_bytes for file in files),
        taken_at=metadata.modified_at,
    )


def local_files(directory: str) -> list[StoredFile]:
    """All files below a ``file:`` address or a path, for a cluster that writes to this machine."""
    root = local_path(directory)
    if root is None:
        raise InvalidInput("directory", directory, "a file: address of this machine")
    found = []
    for path in Path(root).rglob("*"):
        try:
            status = path.stat()
        except FileNotFoundError:
            continue  # Flink subsumed it while we looked
        if path.is_file():
            # Flink writes "file:/dir" where people write "file:///dir": one spelling is enough.
            found.append(StoredFile(f"file:{path}", status.st_size, status.st_mtime))
    return found
