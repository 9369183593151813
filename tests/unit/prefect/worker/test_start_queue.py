"""Flow runs that come together, and begin a few at a time."""

from __future__ import annotations

import asyncio
import threading
from uuid import UUID, uuid4

from flinkglue.clock.interruption import Interruption
from flinkglue.prefect.worker.queue_priorities import LOWEST
from flinkglue.prefect.worker.threads.start_queue import NotBegun, StartQueue

NEVER = 3600.0


class Runs:
    """Flow runs by their number, and which have begun."""

    def __init__(self, queue: StartQueue) -> None:
        self.queue = queue
        self.ids = [uuid4() for _ in range(10)]
        self.begun: list[int] = []
        self.not_begun: list[int] = []

    async def come(self, *numbers: int) -> list[asyncio.Task[None]]:
        tasks = [asyncio.create_task(self._enter(number)) for number in numbers]
        await self.settle()
        return tasks

    async def settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    async def _enter(self, number: int) -> None:
        try:
            await self.queue.enter(self.ids[number])
        except NotBegun:
            self.not_begun.append(number)
        else:
            self.begun.append(number)


def test_the_next_begins_when_one_waits_or_ends_in_the_order_in_which_they_came() -> None:
    async def scenario() -> None:
        runs = Runs(StartQueue(at_once=2, next_after_seconds=NEVER))
        await runs.come(0, 1, 2, 3, 4)
        assert runs.begun == [0, 1]
        assert runs.queue.queued() == runs.ids[2:5]
        runs.queue.leave(runs.ids[1])
        runs.queue.leave(runs.ids[1])  # it ends after it has waited
        await runs.settle()
        assert runs.begun == [0, 1, 2]
        runs.queue.leave(runs.ids[0])
        runs.queue.leave(runs.ids[2])
        await runs.settle()
        assert runs.begun == [0, 1, 2, 3, 4]

    asyncio.run(scenario())


def test_flow_runs_of_a_queue_with_a_higher_priority_begin_first() -> None:
    """And those of one queue as they came, whichever of them was loaded first."""

    async def scenario() -> None:
        high, middle, low = uuid4(), uuid4(), uuid4()
        priorities = {high: 1, middle: 2, low: 3}
        runs = Runs(
            StartQueue(at_once=1, next_after_seconds=NEVER, priority_of=priorities.__getitem__)
        )
        assert not runs.queue.is_crowded_by(1)
        for number in range(5):
            runs.queue.expect(runs.ids[number], low)
        assert runs.queue.is_crowded_by(0)
        runs.queue.expect(runs.ids[5], high)
        runs.queue.expect(runs.ids[5], low)  # it is offered once more
        runs.queue.expect(runs.ids[6], middle)
        runs.queue.leave(runs.ids[6])  # it gets a process
        await runs.come(0, 3, 2, 1, 4, 5, 7)  # the last one has begun before, in another worker
        for number in (0, 7, 5, 1, 2, 3):
            runs.queue.leave(runs.ids[number])
            await runs.settle()
        assert runs.begun == [0, 7, 5, 1, 2, 3, 4]

    asyncio.run(scenario())


def test_priorities_that_become_known_later_count_for_those_that_came_before() -> None:
    """Newer flow runs of their own queue do not overtake them, nor do those of a lower one."""

    async def scenario() -> None:
        first, second = uuid4(), uuid4()
        known: dict[UUID, int] = {}
        runs = Runs(
            StartQueue(
                at_once=1,
                next_after_seconds=NEVER,
                priority_of=lambda queue_id: known.get(queue_id, LOWEST),
            )
        )
        for number in (0, 1, 2):
            runs.queue.expect(runs.ids[number], first)
        runs.queue.expect(runs.ids[3], second)
        known |= {first: 5, second: 1}
        runs.queue.expect(runs.ids[4], first)
        await runs.come(0, 1, 2, 4, 3)
        for number in (0, 3, 1, 2):
            runs.queue.leave(runs.ids[number])
            await runs.settle()
        assert runs.begun == [0, 3, 1, 2, 4]

    asyncio.run(scenario())


def test_no_more_begin_while_those_that_have_begun_wait_for_late_answers_of_the_server() -> None:
    async def scenario() -> None:
        late = set(range(10))
        queue = StartQueue(
            at_once=2,
            next_after_seconds=0.005,
            is_active=lambda flow_run_id: runs.ids.index(flow_run_id) in late,
        )
        runs = Runs(queue)
        await runs.come(*range(6))
        await asyncio.sleep(0.05)
        assert runs.begun == [0, 1]
        late.remove(1)  # it computes from now on
        await asyncio.sleep(0.05)
        assert runs.begun == [0, 1, 2]
        queue.leave(runs.ids[0])
        await runs.settle()
        assert runs.begun == [0, 1, 2], "as many as may at once are left"
        await asyncio.sleep(0.05)
        assert runs.begun == [0, 1, 2, 3]

    asyncio.run(scenario())


def test_flow_runs_that_make_calls_all_the_time_do_not_hold_the_others_up_for_ever() -> None:
    async def scenario() -> None:
        queue = StartQueue(
            at_once=2,
            next_after_seconds=0.005,
            begins_within_seconds=0.1,
            is_active=lambda _: True,
        )
        runs = Runs(queue)
        await runs.come(*range(4))
        await asyncio.sleep(0.05)
        assert runs.begun == [0, 1]
        await asyncio.sleep(0.15)
        assert runs.begun == [0, 1, 2, 3]

    asyncio.run(scenario())


def test_flow_runs_that_never_wait_hold_the_others_up_for_a_moment_each() -> None:
    async def scenario() -> None:
        runs = Runs(StartQueue(at_once=1, next_after_seconds=0.02))
        tasks = await runs.come(0, 1, 2, 3)
        assert runs.begun == [0]
        await asyncio.wait_for(asyncio.gather(*tasks), 30)
        assert runs.begun == [0, 1, 2, 3]

    asyncio.run(scenario())


def test_who_gives_up_takes_nobodys_turn() -> None:
    async def scenario() -> None:
        runs = Runs(StartQueue(at_once=1, next_after_seconds=NEVER))
        _, second, third = await runs.come(0, 1, 2)
        second.cancel()
        await runs.settle()
        runs.queue.leave(runs.ids[0])
        await runs.settle()
        assert runs.begun == [0, 2]
        runs.queue.leave(runs.ids[2])
        await runs.come(3)
        assert runs.begun == [0, 2, 3]
        assert third.done()

    asyncio.run(scenario())


def test_a_flow_run_that_is_to_be_cancelled_does_not_wait_for_its_turn() -> None:
    async def scenario() -> None:
        runs = Runs(StartQueue(at_once=1, next_after_seconds=NEVER))
        await runs.come(0, 1, 2)
        for number in (2, 0, 5):  # in the queue, at work, and not there
            runs.queue.hurry(runs.ids[number])
        await runs.settle()
        assert runs.begun == [0, 2]
        runs.queue.leave(runs.ids[2])
        runs.queue.leave(runs.ids[0])
        await runs.settle()
        assert runs.begun == [0, 2, 1]

    asyncio.run(scenario())


def test_flow_runs_begin_until_they_wait_and_not_while_they_just_compute() -> None:
    async def scenario() -> None:
        calling = set[UUID]()
        queue = StartQueue(at_once=2, next_after_seconds=NEVER, is_active=calling.__contains__)
        runs = Runs(queue)
        calling |= {*runs.ids}
        assert queue.how_many_begin() == 0
        await runs.come(0, 1, 2)
        assert queue.how_many_begin() == 3
        calling.remove(runs.ids[1])
        assert queue.how_many_begin() == 2
        for number in (0, 1, 2):
            queue.leave(runs.ids[number])
            await runs.settle()
        assert queue.how_many_begin() == 0

    asyncio.run(scenario())


def test_one_that_goes_on_making_calls_does_not_begin_for_ever() -> None:
    async def scenario() -> None:
        queue = StartQueue(at_once=2, begins_within_seconds=0.05, is_active=lambda _: True)
        await Runs(queue).come(0)
        assert queue.how_many_begin() == 1
        await asyncio.sleep(0.1)
        assert queue.how_many_begin() == 0

    asyncio.run(scenario())


def test_a_worker_that_stops_begins_nothing_more() -> None:
    async def scenario() -> None:
        runs = Runs(StartQueue(at_once=1, next_after_seconds=NEVER))
        await runs.come(0, 1)
        runs.queue.close()
        await runs.come(2)
        runs.queue.leave(runs.ids[0])
        await runs.settle()
        assert (runs.begun, runs.not_begun) == ([0], [1, 2])

    asyncio.run(scenario())


def test_the_first_wait_of_its_thread_lets_the_next_begin() -> None:
    """Not one of no time at all, such as for a lock that is free."""

    async def scenario() -> None:
        queue = StartQueue(at_once=1, next_after_seconds=NEVER)
        first, second = uuid4(), uuid4()
        await queue.enter(first)
        interruption = Interruption()
        interruption.on_first_wait = queue.leaver(first)
        next_one = asyncio.create_task(queue.enter(second))
        await asyncio.to_thread(interruption.sleep, 0.0)
        await asyncio.sleep(0.01)
        assert not next_one.done()
        woken = threading.Event()
        waiting = threading.Thread(target=interruption.sleep_unless, args=(woken, 30.0))
        waiting.start()
        await asyncio.wait_for(next_one, 30)
        woken.set()
        await asyncio.to_thread(waiting.join)

    asyncio.run(scenario())
