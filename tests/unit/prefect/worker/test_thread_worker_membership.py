"""Which workers of a pool live, as each observes it by its own clock."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any, cast
from uuid import uuid4

import httpx
import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.types import MAX_VARIABLE_VALUE_LENGTH

from flinkglue.errors import CallFailed
from flinkglue.lifecycle.journal import processes
from flinkglue.prefect.store.server_records import ServerRecords
from flinkglue.prefect.worker.members.membership import Membership
from tests.unit.lifecycle.fake_flink_jobs import Clock
from tests.unit.prefect.variables_on_the_wire import FakeVariables

LOG = logging.getLogger(__name__)
LEASE_SECONDS = 60.0
ELSEWHERE = "another boot:4026531836:1"


class Pool:
    """Workers on machines of their own, whose clocks go alike here."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.variables = FakeVariables(self.clock)
        self.is_away = False
        self.lost_answers = 0

    def _cross(self, what: str, call: Callable[[], Any]) -> Any:
        if self.is_away:
            raise httpx.ConnectError("the server is away")
        answer = call()
        if self.lost_answers:
            self.lost_answers -= 1
            raise httpx.ReadError("the answer was lost")
        return answer

    def worker(self, name: str, process: str = ELSEWHERE, pool_id: str = "pool") -> Membership:
        client = cast(SyncPrefectClient, self.variables.client(self._cross))
        records = ServerRecords(client, self.clock)
        worker = Membership(records, pool_id, name, LEASE_SECONDS, process, self.clock)
        worker.join()
        return worker

    def passes(self, seconds: float, *renewing: Membership) -> None:
        """Time passes, in which these workers give signs of life."""
        for _ in range(int(seconds / 5)):
            self.clock.sleep(5)
            for worker in renewing:
                assert worker.renew()


@pytest.fixture
def pool() -> Pool:
    return Pool()


def test_a_worker_that_gives_signs_of_life_is_left_alone(pool: Pool) -> None:
    one, other = pool.worker("one"), pool.worker("other")
    for _ in range(10):
        assert not one.bury_the_dead(LOG)
        pool.passes(30, one, other)
    assert other.is_known_held()
    assert one.living() == {one.worker_id, other.worker_id}


def test_a_silent_worker_is_dead_after_its_lease_and_trusts_itself_no_longer(pool: Pool) -> None:
    one, silent = pool.worker("one"), pool.worker("silent")
    assert not one.bury_the_dead(LOG), "the first look tells nothing"
    pool.passes(50, one)
    assert not silent.is_known_held(), "before anybody else may act"
    assert not one.bury_the_dead(LOG)
    pool.passes(15, one)
    assert one.bury_the_dead(LOG)
    assert one.living() == {one.worker_id}
    assert not silent.renew(), "it learns that it was replaced"
    assert not silent.is_known_held()


def test_a_worker_that_is_silent_for_less_than_its_lease_goes_on(pool: Pool) -> None:
    one, frozen = pool.worker("one"), pool.worker("frozen")
    one.bury_the_dead(LOG)
    pool.passes(55, one)
    assert not frozen.is_known_held()
    assert frozen.renew()
    assert frozen.is_known_held()
    pool.passes(10, one)
    assert not one.bury_the_dead(LOG)


def test_a_worker_whose_process_is_gone_from_this_machine_is_dead_at_once(pool: Pool) -> None:
    place = processes.identity().rpartition(":")[0]
    if not place:
        pytest.skip("this machine does not tell its processes apart")
    one = pool.worker("one")
    dead = pool.worker("dead", process=f"{place}:4194305")  # above the most that Linux gives
    assert one.bury_the_dead(LOG)
    assert one.living() == {one.worker_id}
    assert not dead.renew()


def test_workers_of_another_pool_are_nobodys_business(pool: Pool) -> None:
    one, elsewhere = pool.worker("one"), pool.worker("elsewhere", pool_id="other")
    one.bury_the_dead(LOG)
    pool.passes(300, one)
    assert not one.bury_the_dead(LOG)
    assert elsewhere.renew()


def test_one_living_worker_at_a_time_has_a_duty(pool: Pool) -> None:
    one, other = pool.worker("one"), pool.worker("other")
    assert one.hold("adoption")
    assert one.hold("adoption")
    assert not other.hold("adoption")
    other.bury_the_dead(LOG)
    pool.passes(70, other)
    assert other.bury_the_dead(LOG)
    assert other.hold("adoption")


def test_a_worker_that_leaves_takes_its_records_along(pool: Pool) -> None:
    one, other = pool.worker("one"), pool.worker("other")
    assert one.hold("adoption")
    one.leave()
    assert not one.is_known_held()
    assert other.living() == {other.worker_id}
    assert other.hold("adoption")
    other.leave()
    assert not pool.variables.rows


def test_the_answer_to_the_first_record_may_be_lost(pool: Pool) -> None:
    pool.lost_answers = 1
    worker = pool.worker("one")
    assert worker.renew()
    assert len(pool.variables.rows) == 1


def test_a_server_that_was_away_for_longer_than_the_lease_takes_no_flow_runs_away(
    pool: Pool,
) -> None:
    """Nobody took over: the worker goes on as the same one, and had no right to speak meanwhile."""
    worker = pool.worker("one")
    pool.clock.sleep(3 * LEASE_SECONDS)
    assert not worker.is_known_held()
    assert worker.renew()
    assert worker.is_known_held()
    assert worker.living() == {worker.worker_id}
    assert len(pool.variables.rows) == 1


def test_the_silence_of_the_server_is_not_that_of_a_peer(pool: Pool) -> None:
    one, other = pool.worker("one"), pool.worker("other")
    assert not one.bury_the_dead(LOG)
    pool.is_away = True
    pool.clock.sleep(3 * LEASE_SECONDS)
    with pytest.raises(CallFailed):
        one.bury_the_dead(LOG)
    pool.is_away = False
    assert not one.bury_the_dead(LOG), "both were cut off"
    assert other.renew()


def test_a_worker_that_was_replaced_while_the_server_was_away_learns_so(pool: Pool) -> None:
    one, frozen = pool.worker("one"), pool.worker("frozen")
    one.bury_the_dead(LOG)
    pool.passes(70, one)
    assert one.bury_the_dead(LOG)
    assert not frozen.renew()
    assert one.living() == {one.worker_id}


def test_what_a_worker_died_of_is_none_of_a_thousand_flow_runs_that_just_waited(
    pool: Pool,
) -> None:
    """Each that counts three times in a row gets a process."""
    one, dead = pool.worker("one"), pool.worker("dead")
    waiting, at_work = [uuid4() for _ in range(1000)], uuid4()
    one.bury_the_dead(LOG)
    assert dead.renew(waiting)
    longest = max(len(json.dumps(row["value"])) for row in pool.variables.rows.values())
    assert longest <= MAX_VARIABLE_VALUE_LENGTH
    one.bury_the_dead(LOG)
    pool.passes(70, one)
    assert one.bury_the_dead(LOG)
    assert [each for each in waiting if one.may_have_died_of(dead.worker_id, each)] == []
    assert all(one.has_waited(dead.worker_id, each) for each in waiting)
    assert one.may_have_died_of(dead.worker_id, at_work)


def test_the_record_of_a_worker_of_the_version_before_says_what_waited(pool: Pool) -> None:
    one, dead = pool.worker("one"), pool.worker("dead")
    waiting, at_work = uuid4(), uuid4()
    [row] = [row for row in pool.variables.rows.values() if row["value"]["name"] == "dead"]
    row["value"] = {**row["value"], "waiting": [waiting.hex[-12:]]}
    one.bury_the_dead(LOG)
    pool.passes(70, one)
    assert one.bury_the_dead(LOG)
    assert one.has_waited(dead.worker_id, waiting)
    assert one.may_have_died_of(dead.worker_id, at_work)
