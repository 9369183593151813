"""A Flink job that is taken over: whoever may still act on it is waited for, always."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from prefect.client.orchestration import SyncPrefectClient

from flinkglue.errors import Conflict, ServiceUnavailable
from flinkglue.lifecycle.journal.claims import LeaseLost, LeaseTerms
from flinkglue.lifecycle.journal.file_store import FileStore
from flinkglue.lifecycle.journal.holding import Held
from flinkglue.lifecycle.journal.journal import Journal
from flinkglue.lifecycle.models import Action
from flinkglue.prefect.store.server_records import ServerRecords
from flinkglue.prefect.store.variable_journal import VariableStore
from tests.unit.lifecycle.fake_flink_jobs import Clock
from tests.unit.prefect.variables_on_the_wire import Cross, FakeVariables, at_once


class Interrupted(BaseException):
    """The process ends here."""


class Waiting(Clock):
    """The test's time, for a process that somebody interrupts when it begins to wait."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        raise Interrupted


class Killing(Waiting):
    """The same; what the process sends after that does not leave it."""

    def __init__(self, process: Executor) -> None:
        super().__init__(process.clock)
        self._process = process

    def sleep(self, seconds: float) -> None:
        self._process.is_dead = True
        raise Interrupted


class AnswerLost(FileStore):
    """Files on a server whose answer to the next swap of a claim is lost."""

    loses_next = False

    def swap(
        self, kind: str, key: str, version: str | None, document: Mapping[str, Any] | None
    ) -> str | None:
        written = super().swap(kind, key, version, document)
        if kind != "claim" or not self.loses_next:
            return written
        self.loses_next = False
        return None


class Executor:
    """A process on a machine of its own: nobody can see whether it lives."""

    def __init__(self, server: FakeVariables, name: str, cross: Cross = at_once) -> None:
        self.clock, self.name = server.clock, name
        self.told: list[str] = []
        self.is_dead = False
        client = cast(SyncPrefectClient, server.client(cross))
        self.store = VariableStore(ServerRecords(client, server.clock), "here")

    def keep(self, call: Callable[[], bool], every_seconds: float) -> Callable[[], None]:
        return self.clock.every(every_seconds, lambda: not self.is_dead and call())

    def begin(self, intent: str, action: Action, **how: Any) -> Held:
        terms = LeaseTerms(
            wait_seconds=200, holder=self.name, emit=self.told.append, keep=self.keep
        )
        how = {"terms": terms, "clock": self.clock, **how}
        return Journal(self.store).begin(intent, action, "orders", **how)


def _alive(process: Executor, call: Callable[[], Any]) -> Any:
    if process.is_dead:
        raise Interrupted
    return call()


@pytest.fixture
def server() -> FakeVariables:
    return FakeVariables(Clock())


def test_who_interrupts_the_wait_for_a_live_process_leaves_it_to_the_next(
    server: FakeVariables,
) -> None:
    """However often: nobody acts while the first one trusts its lease."""
    first = Executor(server, "first").begin("run-1", Action.UPDATE)
    began_at = server.clock.seconds
    for number in range(3):
        second = Executor(server, f"second {number}")
        with pytest.raises(Interrupted):
            second.begin("cmd", Action.STOP, take_over=number == 0, clock=Waiting(server.clock))
    third = Executor(server, "third")
    third.begin("cmd", Action.STOP).check()
    assert server.clock.seconds - began_at > 30
    assert third.told == ["first may still act on orders for 31 s: waiting"]
    with pytest.raises(LeaseLost):
        first.check()
    fourth_at = server.clock.seconds
    with pytest.raises(Conflict):
        Executor(server, "fourth").begin("other", Action.CANCEL)
    assert server.clock.seconds == fourth_at


def test_a_wait_that_is_over_is_not_waited_for_again(server: FakeVariables) -> None:
    Executor(server, "first").begin("run-1", Action.UPDATE)
    Executor(server, "second").begin("cmd", Action.STOP, take_over=True).let_go()
    began_at = server.clock.seconds
    Executor(server, "third").begin("cmd", Action.STOP).check()
    assert server.clock.seconds == began_at


def test_who_is_killed_in_the_wait_for_a_live_process_leaves_it_to_the_next(
    server: FakeVariables,
) -> None:
    """Its claim runs out, and then the one before that is waited for."""
    Executor(server, "first").begin("run-1", Action.UPDATE)
    dying = Executor(server, "dying", lambda _, call: _alive(dying, call))
    with pytest.raises(Interrupted):
        dying.begin("cmd", Action.STOP, take_over=True, clock=Killing(dying))
    last = Executor(server, "last")
    last.begin("cmd", Action.STOP).check()
    assert last.told == [
        "waiting: dying holds orders (cmd)",
        "first may still act on orders for 31 s: waiting",
    ]


def test_of_two_live_processes_the_longer_lease_is_waited_for(server: FakeVariables) -> None:
    """The second one was taken from while it waited for the first one."""
    Executor(server, "first").begin("run-1", Action.UPDATE)
    second = Executor(server, "second", lambda _, call: _alive(second, call))
    terms = LeaseTerms(5, holder="second", keep=second.keep)
    with pytest.raises(Interrupted):
        second.begin("cmd", Action.STOP, take_over=True, clock=Killing(second), terms=terms)
    third, began_at = Executor(server, "third"), server.clock.seconds
    third.begin("cmd-2", Action.STOP, take_over=True).check()
    assert third.told == ["first may still act on orders for 31 s: waiting"]
    assert server.clock.seconds - began_at >= 31


def test_a_take_over_whose_answer_was_lost_waits_as_well(tmp_path: Path) -> None:
    """As a link on NFS that is made, and then refused when the request is sent again."""
    clock = Clock()
    terms = LeaseTerms(keep=lambda call, seconds: clock.every(seconds, call))
    Journal(AnswerLost(tmp_path)).begin("run-1", Action.UPDATE, "orders", terms=terms, clock=clock)
    began_at, losing = clock.seconds, AnswerLost(tmp_path)
    losing.loses_next = True
    Journal(losing).begin("cmd", Action.STOP, "orders", take_over=True, terms=terms, clock=clock)
    assert not losing.loses_next
    assert clock.seconds - began_at > 30


@pytest.mark.parametrize("database_is_ahead_seconds", [-3600.0, -60.0, 0.0, 60.0, 3600.0])
def test_a_claim_lives_as_long_as_it_is_renewed_whatever_the_servers_clocks_say(
    database_is_ahead_seconds: float,
) -> None:
    """It is dated by the database, and the answer by the API or by a proxy before it."""
    server = FakeVariables(Clock(), database_is_ahead_seconds)
    first, second = Executor(server, "first"), Executor(server, "second")
    held, began_at = first.begin("run-1", Action.UPDATE), server.clock.seconds
    server.clock.every(100, lambda: bool(held.let_go()))
    second.begin("run-1", Action.UPDATE).check()
    assert server.clock.seconds - began_at >= 100


@pytest.mark.parametrize("database_is_ahead_seconds", [-3600.0, -60.0, 0.0, 60.0, 3600.0])
def test_a_claim_of_a_dead_process_is_free_after_one_lease_whatever_the_servers_clocks_say(
    database_is_ahead_seconds: float,
) -> None:
    server = FakeVariables(Clock(), database_is_ahead_seconds)
    first = Executor(server, "first")
    held = first.begin("run-1", Action.UPDATE)
    server.clock.sleep(15)
    first.is_dead, began_at = True, server.clock.seconds
    Executor(server, "second").begin("run-1", Action.UPDATE).check()
    assert 30 < server.clock.seconds - began_at < 40
    with pytest.raises(LeaseLost):
        held.check()


def test_who_loses_its_lease_as_it_begins_lets_go(server: FakeVariables) -> None:
    """The next one of the intent does not wait for it."""
    slow: list[str] = []

    def cross(what: str, call: Callable[[], Any]) -> Any:
        answer = call()
        if what == "POST /variables/" and b'"token"' in answer.request.content:
            server.clock.seconds += 35
            slow.append(what)
        return answer

    with pytest.raises(ServiceUnavailable, match="ran out"):
        Executor(server, "first", cross).begin("run-1", Action.STOP)
    assert slow
    claims = [row["value"] for row in server.rows.values() if "flink-claim" in row["tags"]]
    assert [claim["document"] for claim in claims] == [{"intent": "run-1"}]
