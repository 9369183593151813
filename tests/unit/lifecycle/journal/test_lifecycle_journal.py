"""The journal and its files: what was written is there, whole, and owned by one intent."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flinkglue.errors import CallFailed, Conflict, InvalidInput
from flinkglue.lifecycle.differences import Difference
from flinkglue.lifecycle.journal.claims import LeaseLost, LeaseTerms
from flinkglue.lifecycle.journal.file_store import FileStore
from flinkglue.lifecycle.journal.holding import Held
from flinkglue.lifecycle.journal.journal import Journal
from flinkglue.lifecycle.journal.processes import identity
from flinkglue.lifecycle.journal.records import JobRecord, document_of, value_of
from flinkglue.lifecycle.models import Action, Jar, JobSpec, Outcome, Savepoint
from tests.unit.lifecycle.fake_flink_jobs import Clock

SPEC = JobSpec(
    "orders", Jar("/jars/a.jar", "a" * 64, 1), args=("--x", "1"), flink_configuration={"k": "v"}
)


class Process:
    """A process with a journal of its own, by the test's time; one that died renews nothing."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self.clock = clock
        self.store = FileStore(directory, clock.monotonic)
        self.journal = Journal(self.store)
        self.told: list[str] = []
        self.is_dead = False

    def _keep(self, call: Callable[[], bool], every_seconds: float) -> Callable[[], None]:
        return self.clock.every(every_seconds, lambda: not self.is_dead and call())

    def begin(self, intent: str, action: Action, job_name: str = "orders", **how: Any) -> Held:
        terms = LeaseTerms(wait_seconds=100, holder=intent, emit=self.told.append, keep=self._keep)
        how = {"terms": terms, "clock": self.clock, **how}
        return self.journal.begin(intent, action, job_name, **how)


@pytest.fixture
def processes(tmp_path: Path) -> Callable[[], Process]:
    clock = Clock()
    return lambda: Process(tmp_path, clock)


@pytest.fixture
def process(processes: Callable[[], Process]) -> Process:
    return processes()


@pytest.fixture
def journal(process: Process) -> Journal:
    return process.journal


def test_another_process_finds_the_entry_as_it_was_left(
    processes: Callable[[], Process],
) -> None:
    with processes().begin("run-1", Action.STOP) as held:
        held.note(story=("asked",), facts={"trigger_id": "t"})
    found = processes().begin("run-1", Action.STOP).entry
    assert (found.facts, found.story, found.outcome) == ({"trigger_id": "t"}, ("asked",), None)


def test_the_process_of_an_intent_that_died_is_waited_for_no_longer_than_its_lease(
    processes: Callable[[], Process],
) -> None:
    """Whoever waits is told for whom."""
    first, second = processes(), processes()
    first.begin("run-1", Action.STOP).note(story=(), facts={"plan": {}})
    first.is_dead, began_at = True, first.clock.seconds
    assert second.begin("run-1", Action.STOP).entry.facts == {"plan": {}}
    assert 30 < second.clock.seconds - began_at < 40
    assert second.told == ["waiting: run-1 holds orders (run-1)"]


def test_a_process_that_is_seen_to_be_gone_is_not_waited_for(
    processes: Callable[[], Process],
) -> None:
    """Its pid is that of nobody on this very machine, in this very container."""
    gone = subprocess.Popen(["true"])
    place = identity().rpartition(":")[0]
    other = processes()
    for number, dead in enumerate([f"{place}:{gone.pid}", f"elsewhere:1:{gone.pid}", identity()]):
        gone.wait()
        claim = {"intent": f"run-{number}", "token": "t", "lease_seconds": 30.0, "process": dead}
        other.store.swap("claim", f"job {number}", None, {**claim, "holder": "it"})
        began_at = other.clock.seconds
        other.begin(f"run-{number}", Action.STOP, f"job {number}")
        assert (other.clock.seconds > began_at) == (number > 0)


def test_a_process_that_lives_is_waited_for_until_it_lets_go(
    processes: Callable[[], Process],
) -> None:
    """Its outcome is then that of whoever waited."""
    first, second = processes(), processes()
    held, outcome = first.begin("run-1", Action.STOP), Outcome(Action.STOP, "orders")
    first.clock.every(70, lambda: not held.end(outcome))
    assert second.begin("run-1", Action.STOP).entry.outcome == outcome
    assert second.clock.seconds >= 1070


def test_a_process_that_goes_on_for_too_long_is_named(processes: Callable[[], Process]) -> None:
    processes().begin("run-1", Action.STOP)
    with pytest.raises(Conflict, match=r"run-1 holds it .* longer than 100 s"):
        processes().begin("run-1", Action.STOP)


def test_a_process_that_slept_through_its_lease_writes_nothing_more(
    processes: Callable[[], Process],
) -> None:
    """Although nobody else wrote anything of its own yet: not even what it had on its way."""
    first, second = processes(), processes()
    held = first.begin("run-1", Action.STOP)
    first.is_dead = True
    second.begin("run-1", Action.STOP)
    with pytest.raises(LeaseLost):
        held.note(story=(), facts={"x": 1})
    assert first.store.swap("intent", "run-1", held.entry.version, {"late": True}) is None


def test_an_ended_intent_keeps_its_outcome_and_lets_go_of_the_job(process: Process) -> None:
    outcome = Outcome(
        Action.UPDATE,
        "orders",
        "id",
        changes=(Difference("jar", "1", "2"),),
        story=("done",),
        savepoints=(Savepoint("orders", "id", "file:/s", 1.5, args=("--a",)),),
    )
    process.begin("run-1", Action.UPDATE).end(outcome)
    assert process.begin("run-1", Action.UPDATE).entry.outcome == outcome
    assert process.journal.owner("orders") is None
    assert process.begin("run-2", Action.STOP).entry.outcome is None


def test_one_unfinished_intent_owns_the_job(process: Process) -> None:
    process.begin("run-1", Action.STOP)
    with pytest.raises(Conflict, match="run-1 has not ended"):
        process.begin("run-2", Action.CANCEL)
    assert process.journal.entry("run-2") is None
    assert process.begin("run-3", Action.CANCEL, "payments").entry.job_name == "payments"


def test_a_process_that_died_before_its_intent_began_is_no_obstacle(process: Process) -> None:
    """Its claim is all that it wrote."""
    claim = {"intent": "run-1", "token": "t", "holder": "run-1", "lease_seconds": 30.0}
    process.store.swap("claim", "orders", None, claim)
    assert process.begin("run-2", Action.START).entry.outcome is None
    assert process.journal.owner("orders") == "run-2"


@pytest.mark.parametrize("lives", [True, False])
def test_taking_over_ends_the_other_and_stops_it_from_doing_more(
    processes: Callable[[], Process], lives: bool
) -> None:
    """One that lives is given the time to notice before anything is done."""
    first, second = processes(), processes()
    other = first.begin("run-1", Action.STOP)
    first.is_dead, began_at = not lives, first.clock.seconds
    second.begin("run-2", Action.CANCEL, take_over=True)
    assert second.clock.seconds > began_at + 30
    with pytest.raises(LeaseLost):
        other.note(story=(), facts={"x": 1})
    with pytest.raises(LeaseLost) as lost:
        other.end(Outcome(Action.STOP, "orders"))
    assert "belongs to the intent run-2" in str(other.why_lost(lost.value))
    assert first.store.swap("intent", "run-1", other.entry.version, {"late": True}) is None
    ended = first.begin("run-1", Action.STOP).entry.outcome
    assert ended
    assert ended.failure == "discarded for run-2"


def test_a_claim_that_is_let_go_late_is_ones_own_only(processes: Callable[[], Process]) -> None:
    """A slow server, while the job was taken over, and by a third again."""
    first, second, third = processes(), processes(), processes()
    late = first.begin("run-1", Action.STOP)
    second.begin("run-2", Action.STOP, take_over=True)
    late.let_go(is_over=True)
    assert first.journal.owner("orders") == "run-2"
    with pytest.raises(Conflict, match="run-2 has not ended"):
        third.begin("run-3", Action.STOP)


def test_a_claim_left_by_a_process_that_died_while_ending_is_no_obstacle(
    process: Process,
) -> None:
    """It wrote its outcome and was killed before it let go."""
    process.begin("run-1", Action.STOP).end(Outcome(Action.STOP, "orders"))
    released = process.store.stored("claim", "orders")
    assert released
    process.store.swap("claim", "orders", released.version, {"intent": "run-1"})
    assert process.begin("run-2", Action.START).entry.outcome is None
    assert process.journal.owner("orders") == "run-2"


def test_a_refused_intent_may_be_used_again(process: Process) -> None:
    process.begin("run-1", Action.STOP).withdraw()
    assert process.begin("run-1", Action.CANCEL).entry.action is Action.CANCEL


def test_an_intent_belongs_to_one_action_of_one_job(process: Process) -> None:
    process.begin("run-1", Action.STOP)
    for action, job_name in [(Action.CANCEL, "orders"), (Action.STOP, "payments")]:
        with pytest.raises(InvalidInput, match="intent"):
            process.begin("run-1", action, job_name)


def test_a_job_record_is_written_over_by_whoever_read_it_last_alone(journal: Journal) -> None:
    first, second = journal.job_record("orders"), journal.job_record("orders")
    journal.save_job_record(replace(second, generation=2))
    with pytest.raises(Conflict, match="another process has written it"):
        journal.save_job_record(replace(first, generation=1))
    journal.forget_job_record("orders")
    assert journal.job_record("orders") == JobRecord("orders")
    with pytest.raises(Conflict):
        journal.save_job_record(replace(second, generation=3))


def test_records_and_ledger_come_back_as_they_were(journal: Journal) -> None:
    record = JobRecord("orders", "id", 3, SPEC, replace(SPEC, parallelism=2), "file:/s")
    journal.save_job_record(record)
    assert journal.job_record("orders") == record
    assert journal.job_records() == [record]
    older, newer = (Savepoint("orders", "id", f"file:/s{at}", at) for at in (1.0, 2.0))
    for savepoint in (older, newer, replace(older, size_bytes=7)):
        journal.record_savepoint(savepoint)
    assert journal.savepoints("orders") == [newer, replace(older, size_bytes=7)]
    journal.forget_savepoint("orders", newer.path)
    journal.forget_job_record("orders")
    assert journal.savepoints("orders") == [replace(older, size_bytes=7)]
    assert journal.job_record("orders") == JobRecord("orders")


def test_a_place_is_one_entry_however_it_is_spelled(tmp_path: Path) -> None:
    """An earlier release wrote an entry for each spelling: what became of one became of all."""
    store = FileStore(tmp_path)
    journal = Journal(store)
    spellings = ("s3a://b/sp/savepoint-1", "s3://b/sp/savepoint-1/")
    for at, path in enumerate(spellings):
        document = {"job_name": "orders", "job_id": "id", "path": path, "taken_at": at}
        store.write("savepoint", f"orders {path}", document)
    (known,) = journal.savepoints("orders")
    assert known.path == spellings[1]
    assert known.is_whole
    journal.record_savepoint(replace(known, path="s3p://b/sp/savepoint-1", claimed=True))
    assert [one.claimed for one in journal.savepoints_at(spellings[0])] == [True, True]
    assert len(store.documents("savepoint")) == 2
    journal.forget_savepoint("orders", "s3n://b/sp/savepoint-1")
    assert store.documents("savepoint") == []


@pytest.mark.parametrize("was_seen", [True, False])
def test_what_an_earlier_release_wrote_is_understood(tmp_path: Path, was_seen: bool) -> None:
    """A launch whose spec was seen running counts as one that came to run."""
    store = FileStore(tmp_path)
    job = {"job_name": "orders", "job_id": "id", "generation": 3, "restored_from": "file:/s"}
    specs = {
        "spec": document_of(SPEC),
        "good_spec": document_of(SPEC) if was_seen else None,
    }
    store.write("job", "orders", {**job, **specs})
    record = Journal(store).observed_job_record("orders")
    assert record == JobRecord("orders", "id", 3, SPEC, SPEC if was_seen else None, "file:/s")
    assert record.was_ready is was_seen
    savepoint = {"job_name": "orders", "job_id": "id", "path": "file:/s", "taken_at": 1.5}
    store.write("savepoint", "orders file:/s", savepoint)
    (known,) = Journal(store).savepoints("orders")
    assert known == Savepoint("orders", "id", "file:/s", 1.5)
    assert known.is_whole


@given(
    st.builds(
        JobSpec,
        job_name=st.text(min_size=1).filter(str.strip),
        jar=st.just(SPEC.jar),
        args=st.lists(st.text()).map(tuple),
        parallelism=st.integers(1, 100),
        flink_configuration=st.dictionaries(st.text(), st.text()),
        allow_non_restored_state=st.booleans(),
        restore_mode=st.sampled_from(["NO_CLAIM", "CLAIM", "LEGACY"]),
    )
)
def test_every_spec_survives_as_a_fact(spec: JobSpec) -> None:
    assert value_of(JobSpec, document_of(spec)) == spec


def test_of_many_that_create_one_document_one_does(tmp_path: Path) -> None:
    store, made = FileStore(tmp_path), []
    start = threading.Barrier(8)

    def create(number: int) -> None:
        start.wait()
        if store.swap("claim", "orders", None, {"intent": str(number)}):
            made.append(str(number))

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [store.read("claim", "orders")] == [{"intent": made[0]}]
    assert len(made) == 1


@pytest.mark.parametrize("content", [b"", b"{broken", b"[]", b"{}", b"\xff\xfe"])
def test_a_file_that_holds_no_document_is_named(tmp_path: Path, content: bytes) -> None:
    """Somebody edited it, or a disk was full when it was copied."""
    store = FileStore(tmp_path)
    store.write("job", "orders", {})
    (file,) = tmp_path.rglob("*.json")
    file.write_bytes(content)
    with pytest.raises(CallFailed, match=re.escape(str(file))):
        store.read("job", "orders")


def test_keys_may_be_anything(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    store.write("job", "../../etc/ü \n" * 50, {"a": 1})
    assert store.read("job", "../../etc/ü \n" * 50) == {"a": 1}
    assert store.documents("job") == [{"a": 1}]
    assert not (tmp_path.parent / "etc").exists()
