"""Several processes that act on one job, interleaved at every call by a seed.

Each process is a thread; one runs at a time, and hands over at every call to the journal and to the
JobManager, and whenever it waits. Time is simulated. A process may be paused (as a machine is that
swaps, or a container that is frozen) for longer than any lease, and then goes on as if nothing had
happened; while it is paused, its lease is not renewed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from tests.unit.lifecycle.fake_flink_jobs import Clock

MOST_STEPS = 20_000


class Stuck(AssertionError):
    """The processes never came to an end."""


@dataclass
class Process:
    """One process under way.

    Attributes:
        name: For messages.
        wakes_at: When it goes on.
        is_frozen: Whether nothing of it runs until then, neither is its lease renewed.
        result: What it returned, or raised.
    """

    name: str
    run: Callable[[Process], Any]
    schedule: Schedule
    wakes_at: float = 0.0
    is_frozen: bool = False
    is_done: bool = False
    result: Any = None
    turn: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None

    def monotonic(self) -> float:
        """Its clock."""
        return self.schedule.clock.seconds

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.monotonic(), UTC)

    def sleep(self, seconds: float) -> None:
        """It waits; its other threads run on."""
        self.wakes_at = self.monotonic() + seconds
        self.schedule.hand_over(self)

    def keep(self, call: Callable[[], bool], every_seconds: float) -> Callable[[], None]:
        """A thread of it that calls this now and then, until it is stopped or False comes back."""
        alarm = Alarm(self, every_seconds, call, self.monotonic() + every_seconds)
        self.schedule.alarms.append(alarm)
        return alarm.stop

    def cross(self, what: str, call: Callable[[], Any]) -> Any:
        """A call that leaves the process: it takes a moment to arrive, and another to come back.

        Its other threads, which renew its lease, hand over to nobody.
        """
        if threading.current_thread() is not self.thread:
            return call()
        self.schedule.log.append(f"{self.monotonic():8.2f} {self.name}: {what}")
        self.sleep(self.schedule.on_its_way())
        answer = call()
        seconds, self.is_frozen = self.schedule.paused()
        self.sleep(seconds)
        return answer


@dataclass
class Alarm:
    """A thread of a process that calls something now and then."""

    process: Process
    every_seconds: float
    call: Callable[[], bool]
    due_at: float
    is_on: bool = True

    def stop(self) -> None:
        self.is_on = False

    def ring(self, now: float) -> None:
        self.due_at = now + self.every_seconds
        self.is_on = self.call()


class Schedule:
    """Decides by a seed who goes on.

    Args:
        clock: The time of all.
        rng: What it decides by.
        pauses: How likely a process is frozen after a call.
        pause_seconds: For how long at most.
        on_its_way_seconds: How long a call may take to arrive.
    """

    def __init__(
        self,
        clock: Clock,
        rng: Random,
        pauses: float = 0.03,
        pause_seconds: float = 120.0,
        on_its_way_seconds: float = 1.0,
    ) -> None:
        self.clock = clock
        self.alarms: list[Alarm] = []
        self.log: list[str] = []
        self._rng = rng
        self._pauses = pauses
        self._pause_seconds = pause_seconds
        self._on_its_way_seconds = on_its_way_seconds
        self._back = threading.Event()

    def on_its_way(self) -> float:
        return self._rng.choice([0.0, 0.01, self._rng.uniform(0, self._on_its_way_seconds)])

    def paused(self) -> tuple[float, bool]:
        if self._rng.random() < self._pauses:
            return self._rng.uniform(0, self._pause_seconds), True
        return self._rng.choice([0.0, 0.0, 0.05]), False

    def hand_over(self, process: Process) -> None:
        self._back.set()
        process.turn.wait()
        process.turn.clear()

    def run(self, runs: dict[str, Callable[[Process], Any]]) -> dict[str, Any]:
        """Run all to their ends, and return what each returned or raised."""
        processes = [
            Process(name, run, self, self.clock.seconds + self._rng.choice([0, 0, 5, 40]))
            for name, run in runs.items()
        ]
        for process in processes:
            process.thread = threading.Thread(target=self._live, args=(process,), daemon=True)
            process.thread.start()
        for _ in range(MOST_STEPS):
            alive = [process for process in processes if not process.is_done]
            if not alive:
                return {process.name: process.result for process in processes}
            self._step(alive)
        raise Stuck("\n".join(self.log[-40:]))

    def _live(self, process: Process) -> None:
        process.turn.wait()
        process.turn.clear()
        try:
            process.result = process.run(process)
        except BaseException as error:  # noqa: BLE001 - what it raised is its result
            process.result = error
        process.is_done = True
        self._back.set()

    def _step(self, alive: list[Process]) -> None:
        ready = [process for process in alive if process.wakes_at <= self.clock.seconds]
        if not ready:
            self._pass_time(min(process.wakes_at for process in alive))
            return
        process = self._rng.choice(ready)
        process.is_frozen = False
        self._back.clear()
        process.turn.set()
        self._back.wait()

    def _pass_time(self, until: float) -> None:
        while True:
            self.alarms = [alarm for alarm in self.alarms if alarm.is_on]
            due = [a for a in self.alarms if a.due_at <= until and not self._is_off(a)]
            if not due:
                break
            alarm = min(due, key=lambda alarm: alarm.due_at)
            self.clock.seconds = max(self.clock.seconds, alarm.due_at)
            alarm.ring(self.clock.seconds)
        self.clock.seconds = max(self.clock.seconds, until)

    @staticmethod
    def _is_off(alarm: Alarm) -> bool:
        return alarm.process.is_frozen or alarm.process.is_done
