"""A worker, a Prefect server and its database, which are killed and come back."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable

from benchmarks.stands.run_stand import Stand, pool_of
from scripts.postgres import PostgresFailed

LEASES = {"FLINKGLUE_WORKER_LEASE_SECONDS": "20", "GLUE_LOCK_LEASE_SECONDS": "6"}
FROZEN_SECONDS = 60.0


class Victims:
    """What is killed, and how it comes back.

    Args:
        workers: How many of one pool.
        down_seconds: How long each is away at the most.
        freezes: Whether a worker may also be stopped and go on later, by SIGSTOP and SIGCONT.
    """

    def __init__(
        self,
        running: Stand,
        rng: random.Random,
        *,
        workers: int = 1,
        down_seconds: float = 4.0,
        freezes: bool = False,
    ) -> None:
        self._stand = running
        self._rng = rng
        self._down_seconds = down_seconds
        self.workers = [running.worker_process("thread", **LEASES) for _ in range(workers)]
        for worker in self.workers:
            worker.start()
        running.wait_until_ready(pool_of("thread"))
        self._deaths: dict[str, Callable[[], None]] = {
            "worker": self._kill_worker,
            "server": self._kill_server,
            "database": self._kill_database,
        }
        if freezes:
            self._deaths["worker frozen"] = self._freeze_worker

    def stop(self) -> None:
        """End the workers."""
        for worker in self.workers:
            worker.stop(grace_seconds=30)

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
        worker = self._rng.choice(self.workers)
        worker.kill()
        self._pause()
        worker.start()

    def _freeze_worker(self) -> None:
        """As a machine that is suspended: others may adopt its flow runs meanwhile."""
        pid = self._rng.choice(self.workers).pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        time.sleep(self._rng.uniform(0, FROZEN_SECONDS))
        os.kill(pid, signal.SIGCONT)

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
        time.sleep(self._rng.uniform(0, self._down_seconds))
