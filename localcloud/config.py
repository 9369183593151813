"""What can be set about one local cloud."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

LOOPBACK = "127.0.0.1"
DEFAULT_STATE_DIR = Path(".localcloud")
_FIRST_PORT, _PORTS, _TRIES = 20_000, 12_000, 200


@dataclass(frozen=True)
class GlueTiming:
    """How long things take in the local Glue.

    Args:
        run_seconds: The least time that a run is RUNNING; a longer script takes longer.
        start_delay_seconds: The time between StartJobRun and the allocation of addresses.
        release_lag_seconds: The time between the end of a run and the return of its addresses.
        list_lag_seconds: The time between StartJobRun and the moment when GetJobRuns shows the run.
    """

    run_seconds: float = 0.0
    start_delay_seconds: float = 0.2
    release_lag_seconds: float = 0.2
    list_lag_seconds: float = 0.0


@dataclass(frozen=True)
class CloudConfig:
    """One local cloud.

    Args:
        state_dir: Everything that this cloud writes lies below it.
        ports: A port per part name; a part that is not named, or has 0, takes a free one.
        flink_task_slots: How many parallel tasks the session cluster can run.
        flink_lib_dir: The ``lib`` directory of a Flink distribution; without one, the jars of the
            installed ``apache-flink-libraries``.
        azurite_dir: Where Azurite is installed and found again; without one, a directory of the
            user's cache.
        glue_timing: The initial timings of Glue runs.
        seed: The seed of everything drawn at random, for example faults with a share.
    """

    state_dir: Path = DEFAULT_STATE_DIR
    ports: Mapping[str, int] = field(default_factory=dict)
    flink_task_slots: int = 4
    flink_lib_dir: Path | None = None
    azurite_dir: Path | None = None
    glue_timing: GlueTiming = field(default_factory=GlueTiming)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.flink_task_slots < 1:
            slots = self.flink_task_slots
            raise ValueError(f"flink_task_slots: {slots!r} is not accepted. Allowed: 1 or more")
        object.__setattr__(self, "state_dir", Path(self.state_dir).resolve())

    def part_dir(self, part_name: str) -> Path:
        """The part's own directory below the state directory; made if it is missing."""
        directory = self.state_dir / part_name
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return directory

    def port(self, part_name: str) -> int:
        """The part's port: as set, else a free one. Ask once and keep the answer."""
        return self.ports.get(part_name) or free_port()


def free_port_or(usual: int) -> int:
    """The usual port, where nobody listens on it; else a free one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
        try:
            probe.bind((LOOPBACK, usual))
        except OSError:
            return free_port()
    return usual


def free_port() -> int:
    """A port of loopback that nobody listens on at this moment.

    It lies below those that systems give to outgoing connections, or one of them could have it by
    the time that it is served.
    """
    for _ in range(_TRIES):
        port = _FIRST_PORT + secrets.randbelow(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((LOOPBACK, port))
            return port
    raise OSError(f"no port of {_FIRST_PORT} to {_FIRST_PORT + _PORTS - 1} is free")
