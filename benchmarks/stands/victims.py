"""A worker, a Prefect server and its database, which are killed and come back."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from benchmarks.stands.run_stand import Stand, pool_of
from localcloud.processes import ChildProcess
from scripts.postgres import PostgresFailed

DOWN_SECONDS = (0.0, 4.0)
LEASES = {"FLINKGLUE_WORKER_LEASE_SECONDS": "20", "GLUE_LOCK_LEASE_SECONDS": "6"}


class Victims:
    """What is killed, and how it comes back."""

    def __init__(self, running: Stand, rng: random.Random) -> None:
        self._stand = running
        self._rng = rng
        self.worker: ChildProcess = running.worker_process("thread", **LEASES)
        self.worker.start()
        running.wait_until_ready(pool_of("thread"))
        self._deaths: dict[str, Callable[[], None]] = {
            "worker": self._kill_worker,
            "server": self._kill_server,
            "database": self._kill_database,
        }

    def names(self, count: int) -> list[str]:
        """Which are to die: each of them, and then any, in any order."""
        chosen = [*self._deaths]
        chosen += self._rng.choices([*self._deaths], k=max(0, count - len(chosen)))
        self._rng.shuffle(chosen)
        return chosen[:count]

    def kill(self, name: str) -> None:
        """It is down for a moment."""
        self._deaths[name]()

    def _kill_worker(self) -> None:
        self.worker.kill()
        self._pause()
        self.worker.start()

    def _kill_server(self) -> None:
        self._stand.prefect.kill_server()
        self._pause()
        self._stand.prefect.start_server()

    def _kill_database(self) -> None:
        postgres = self._stand.postgres
        assert postgres is not None
        postgres.kill()
        self._pause()
        for _ in range(20):  # what it left may take a moment to end
            try:
                postgres.start()
            except PostgresFailed:
                time.sleep(1)
            else:
                return
        postgres.start()

    def _pause(self) -> None:
        time.sleep(self._rng.uniform(*DOWN_SECONDS))
