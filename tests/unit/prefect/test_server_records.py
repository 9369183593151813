"""Records on the Prefect server: pages that change, answers that are lost, faults that pass."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prefect.client.orchestration import SyncPrefectClient

from flinkglue.errors import CallFailed, ServiceUnavailable, Throttled
from flinkglue.prefect.store import server_records
from flinkglue.prefect.store.server_records import ServerRecords
from flinkglue.prefect.store.variable_journal import VariableStore
from tests.unit.lifecycle.fake_flink_jobs import Clock
from tests.unit.prefect.variables_on_the_wire import Cross, FakeVariables, at_once


class Died(BaseException):
    """The process is gone."""


class Server:
    """A fake server, and processes that use it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.variables = FakeVariables(self.clock)

    def records(self, cross: Cross = at_once) -> ServerRecords:
        client = cast(SyncPrefectClient, self.variables.client(cross))
        return ServerRecords(client, self.clock)

    def store(self, cross: Cross = at_once) -> VariableStore:
        return VariableStore(self.records(cross), "here")


@given(seed=st.integers(0, 10**6), most_changes=st.integers(0, 120))
@settings(max_examples=50, deadline=None)
def test_no_record_that_stays_is_missed_while_others_come_and_go(
    seed: int, most_changes: int
) -> None:
    rng, server = random.Random(seed), Server()
    names = [f"r-{rng.randrange(10**6):06}" for _ in range(rng.randrange(0, 700))]
    for name in names:
        server.variables.put(name, {}, ["t"])
    staying = set(rng.sample(names, len(names) // 2))
    leaving = [name for name in names if name not in staying]

    def between(what: str, call: Callable[[], Any]) -> Any:
        for _ in range(rng.randrange(most_changes + 1)):
            if leaving and rng.random() < 0.6:
                server.variables.remove(leaving.pop(rng.randrange(len(leaving))))
            else:
                server.variables.put(f"r-{rng.randrange(10**6):06}", {}, ["t"])
        return call()

    found = [record.name for record in server.records(between).tagged("t")]
    assert staying <= {*found}
    assert len(found) == len({*found})


def test_a_list_that_never_stands_still_is_given_up() -> None:
    """Nobody is told half of it."""
    server, numbers = Server(), iter(range(10**9))
    for number in range(400):
        server.variables.put(f"r-{number:09}", {}, ["t"])

    def all_anew(what: str, call: Callable[[], Any]) -> Any:
        server.variables.rows.clear()
        start = next(numbers) * 1000
        for number in range(start, start + 400):
            server.variables.put(f"r-{number:09}", {}, ["t"])
        return call()

    records = server.records(all_anew)
    with pytest.raises(ServiceUnavailable, match="changed too much"):
        records.tagged("t")


def failing(answers: list[Any], waits: Callable[[], None] = lambda: None) -> Cross:
    def cross(what: str, call: Callable[[], Any]) -> Any:
        fault = answers.pop(0) if answers else None
        if fault is None:
            return call()
        waits()
        if isinstance(fault, Exception):
            raise fault
        status, headers = fault
        request = httpx.Request("GET", "http://prefect.test")
        return httpx.Response(status, headers=headers, text="no", request=request)

    return cross


PASSING: list[Any] = [
    (429, {"Retry-After": "7"}),
    (500, {}),
    (503, {}),
    (504, {}),
    (408, {}),
    httpx.ReadTimeout("slow"),
    httpx.ConnectError("refused"),
]


@pytest.mark.parametrize("fault", PASSING, ids=str)
def test_what_may_pass_is_repeated(fault: Any) -> None:
    """Not before the server asked for."""
    server = Server()
    server.variables.put("r", {"a": 1}, [])
    began_at = server.clock.seconds
    record = server.records(failing([fault, fault])).read("r")
    assert record
    assert record.value == {"a": 1}
    assert server.clock.seconds - began_at >= (14 if "429" in str(fault) else 0.5)


@pytest.mark.parametrize(
    ("fault", "kind"), [((429, {}), Throttled), ((500, {}), ServiceUnavailable)]
)
def test_what_does_not_pass_is_told_so_that_the_task_is_tried_again(
    fault: Any, kind: type[CallFailed]
) -> None:
    server = Server()
    began_at = server.clock.seconds
    with pytest.raises(kind):
        server.records(failing([fault] * 100)).read("r")
    assert server.clock.seconds - began_at <= server_records.REPEATED_FOR_SECONDS


@pytest.mark.parametrize("lies_there", [False, True])
@pytest.mark.parametrize("known", ["not known", "known", "deleted meanwhile"])
def test_a_record_is_written_whether_there_is_one_or_not(known: str, lies_there: bool) -> None:
    server = Server()
    known_id = server.variables.put("r", 1, ["t"]) if known != "not known" else None
    if known == "deleted meanwhile":
        server.variables.remove("r")
    if lies_there and known != "known":
        server.variables.put("r", 2, ["t"])
    record_id = server.records().put("r", {"now": 3}, ["t"], known_id)
    found = server.records().read("r")
    assert found is not None
    assert (found.record_id, found.value) == (record_id, {"now": 3})
    assert len(server.variables.rows) == 1


def test_a_record_that_others_delete_and_create_all_the_time_is_given_up() -> None:
    server = Server()

    def between(what: str, call: Callable[[], Any]) -> Any:
        server.variables.remove("r")
        if what.startswith("POST"):
            server.variables.put("r", 1, ["t"])
        return call()

    with pytest.raises(ServiceUnavailable, match="10 times"):
        server.records(between).put("r", {}, ["t"])


def test_what_is_refused_is_not_repeated() -> None:
    server = Server()
    with pytest.raises(CallFailed, match="422"):
        server.records().create("r", {"a": "x" * 6000}, [])
    assert len(server.variables.requests) == 1


def document(long: int) -> dict[str, str]:
    return {"text": random.Random(long).randbytes(long).hex()}


def swapped(server: Server, cross: Cross, long: int) -> str | None:
    """One more swap of a document, in a process of its own."""
    stored = server.store().stored("intent", "run-1")
    version = stored and stored.version
    return server.store(cross).swap("intent", "run-1", version, document(long))


@pytest.mark.parametrize("long", [10, 9000])
@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("swaps", range(3))
def test_a_swap_that_is_killed_is_done_or_not_done(swaps: int, before: bool, long: int) -> None:
    """And the next one leaves nothing of it behind."""
    for at in range(20):
        server, calls = Server(), iter(range(10**6))
        for number in range(swaps):
            swapped(server, at_once, 9000 + number)
        was = server.store().read("intent", "run-1")

        def die(what: str, call: Callable[[], Any], calls: Any = calls, at: int = at) -> Any:
            number = next(calls)
            if before and number == at:
                raise Died
            answer = call()
            if number == at:
                raise Died
            return answer

        try:
            swapped(server, die, long)
        except Died:
            assert server.store().read("intent", "run-1") in (was, document(long))
        else:
            break
        assert swapped(server, at_once, 20)
        assert len(server.store().documents("intent")) == 1
        assert (
            len([row for row in server.variables.rows.values() if "-part-" not in row["name"]]) == 1
        )
    else:
        raise AssertionError("it never came to an end")


@pytest.mark.parametrize("swaps", range(3))
def test_a_swap_whose_answers_are_lost_is_done_once(swaps: int) -> None:
    """Prefect's own client sends each call again, and knows nothing of the first."""
    server = Server()
    for number in range(swaps):
        swapped(server, at_once, number)

    def twice(what: str, call: Callable[[], Any]) -> Any:
        call()
        return call()

    version = swapped(server, twice, 50)
    stored = server.store().stored("intent", "run-1")
    assert stored
    assert stored.version == version
    assert len(server.variables.rows) == 1


def test_who_comes_late_changes_nothing() -> None:
    """It has read the document before two others wrote it: the name that it writes is free."""
    server = Server()
    swapped(server, at_once, 1)

    def late(what: str, call: Callable[[], Any]) -> Any:
        if what == "POST /variables/" and not overtaken:
            overtaken.append(swapped(server, at_once, 2))
            overtaken.append(swapped(server, at_once, 3))
        return call()

    overtaken: list[str | None] = []
    assert swapped(server, late, 4) is None
    stored = server.store().stored("intent", "run-1")
    assert stored
    assert stored.version == overtaken[1]
    assert len(server.variables.rows) == 1


def test_what_was_removed_is_forgotten_when_it_is_old() -> None:
    server = Server()
    store = server.store()
    for kind in ("claim", "job", "intent"):
        version = store.swap(kind, "orders", None, {"intent": "run-1"})
        assert store.swap(kind, "orders", version, None)
    open_version = store.swap("intent", "open", None, {"outcome": None})
    server.clock.seconds += 1000
    assert store.forget_ended_intents(2000) == 0
    assert len(server.variables.rows) == 4
    assert store.forget_ended_intents(500) == 0
    assert [row["id"] for row in server.variables.rows.values()] == [open_version]


def dies_before_it_deletes(what: str, call: Callable[[], Any]) -> Any:
    if what.startswith("DELETE"):
        raise Died
    return call()


@pytest.mark.parametrize("kind", ["intent", "job"])
def test_what_is_forgotten_stays_so_although_a_swap_was_killed(kind: str) -> None:
    """The version before the last one still lies there: it does not become the document again."""
    server = Server()
    version = server.store().swap(kind, "orders", None, {"outcome": None, "before": "x" * 9000})

    ended = {"outcome": {"failure": ""}} if kind == "intent" else None
    with pytest.raises(Died):
        server.store(dies_before_it_deletes).swap(kind, "orders", version, ended)
    server.clock.seconds += 1000
    assert server.store().forget_ended_intents(500) == (kind == "intent")
    assert server.store().stored(kind, "orders") is None
    assert server.variables.rows == {}


def test_forgetting_that_is_killed_brings_nothing_back() -> None:
    """At every call."""
    for calls in range(12):
        server = Server()
        version = server.store().swap("intent", "run-1", None, {"outcome": None})

        with pytest.raises(Died):
            server.store(dies_before_it_deletes).swap(
                "intent", "run-1", version, {"outcome": {"failure": ""}}
            )
        server.clock.seconds += 1000
        left = [None] * calls

        def killed(what: str, call: Callable[[], Any], left: list[None] = left) -> Any:
            if not left:
                raise Died
            left.pop()
            return call()

        with suppress(Died):
            server.store(killed).forget_ended_intents(500)
        stored = server.store().stored("intent", "run-1")
        assert stored is None or stored.document == {"outcome": {"failure": ""}}


def test_a_document_that_is_written_anew_while_all_are_read_is_among_them() -> None:
    """Its parts are gone by the time that they are read."""
    server = Server()
    swapped(server, at_once, 9000)

    def meanwhile(what: str, call: Callable[[], Any]) -> Any:
        answer = call()
        if what == "POST /variables/filter" and not rewritten:
            rewritten.append(swapped(server, at_once, 9001))
        return answer

    rewritten: list[str | None] = []
    assert server.store(meanwhile).documents("intent") == [document(9001)]
    assert rewritten
