"""The journal and its files: what was written is there, whole, and owned by one intent."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flinkglue.errors import Conflict, InvalidInput
from flinkglue.lifecycle.differences import Difference
from flinkglue.lifecycle.file_store import FileStore
from flinkglue.lifecycle.journal import Journal, spec_document, spec_of
from flinkglue.lifecycle.models import Action, Jar, JobSpec, Outcome, Savepoint
from flinkglue.lifecycle.records import JobRecord

SPEC = JobSpec(
    "orders", Jar("/jars/a.jar", "a" * 64, 1), args=("--x", "1"), flink_configuration={"k": "v"}
)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(FileStore(tmp_path))


def test_another_process_finds_the_entry_as_it_was_left(tmp_path: Path) -> None:
    first = Journal(FileStore(tmp_path))
    entry = first.begin("run-1", Action.STOP, "orders")
    first.note(entry, story=("asked",), facts={"trigger_id": "t"})
    found = Journal(FileStore(tmp_path)).begin("run-1", Action.STOP, "orders")
    assert (found.facts, found.story, found.outcome) == ({"trigger_id": "t"}, ("asked",), None)


def test_an_ended_intent_keeps_its_outcome_and_lets_go_of_the_job(journal: Journal) -> None:
    outcome = Outcome(
        Action.UPDATE,
        "orders",
        "id",
        changes=(Difference("jar", "1", "2"),),
        story=("done",),
        savepoints=(Savepoint("orders", "id", "file:/s", 1.5, args=("--a",)),),
    )
    journal.end(journal.begin("run-1", Action.UPDATE, "orders"), outcome)
    assert journal.begin("run-1", Action.UPDATE, "orders").outcome == outcome
    assert journal.owner("orders") is None
    assert journal.begin("run-2", Action.STOP, "orders").outcome is None


def test_one_unfinished_intent_owns_the_job(journal: Journal) -> None:
    journal.begin("run-1", Action.STOP, "orders")
    with pytest.raises(Conflict, match="run-1 has not ended"):
        journal.begin("run-2", Action.CANCEL, "orders")
    assert journal.entry("run-2") is None
    assert journal.begin("run-3", Action.CANCEL, "payments").job_name == "payments"


def test_taking_over_ends_the_other_and_stops_it_from_doing_more(journal: Journal) -> None:
    dead = journal.begin("run-1", Action.STOP, "orders")
    journal.begin("run-2", Action.CANCEL, "orders", take_over=True)
    with pytest.raises(Conflict, match="belongs to the intent run-2"):
        journal.note(dead, story=(), facts={"x": 1})
    with pytest.raises(Conflict):
        journal.end(dead, Outcome(Action.STOP, "orders"))
    ended = journal.begin("run-1", Action.STOP, "orders").outcome
    assert ended
    assert ended.failure == "given up for run-2"


def test_a_claim_left_by_a_process_that_died_while_ending_is_no_obstacle(journal: Journal) -> None:
    """It wrote its outcome and was killed before it let go."""
    entry = journal.begin("run-1", Action.STOP, "orders")
    store = journal._store
    journal.end(entry, Outcome(Action.STOP, "orders"))
    store.write("claim", "orders", {"intent": "run-1"})
    assert journal.begin("run-2", Action.START, "orders").outcome is None
    assert journal.owner("orders") == "run-2"


def test_a_refused_intent_may_be_used_again(journal: Journal) -> None:
    journal.withdraw(journal.begin("run-1", Action.STOP, "orders"))
    assert journal.begin("run-1", Action.CANCEL, "orders").action is Action.CANCEL


def test_an_intent_belongs_to_one_action_of_one_job(journal: Journal) -> None:
    journal.begin("run-1", Action.STOP, "orders")
    for action, job_name in [(Action.CANCEL, "orders"), (Action.STOP, "payments")]:
        with pytest.raises(InvalidInput, match="intent"):
            journal.begin("run-1", action, job_name)


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
    specs = {"spec": spec_document(SPEC), "good_spec": spec_document(SPEC) if was_seen else None}
    store.write("job", "orders", {**job, **specs})
    record = Journal(store).job_record_as_seen("orders")
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
    assert spec_of(spec_document(spec)) == spec


def test_of_many_that_create_one_document_one_does(tmp_path: Path) -> None:
    store, made = FileStore(tmp_path), []
    start = threading.Barrier(8)

    def create(number: int) -> None:
        start.wait()
        if store.create("claim", "orders", {"intent": str(number)}):
            made.append(str(number))

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [store.read("claim", "orders")] == [{"intent": made[0]}]
    assert len(made) == 1


def test_keys_may_be_anything(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    store.write("job", "../../etc/ü \n" * 50, {"a": 1})
    assert store.read("job", "../../etc/ü \n" * 50) == {"a": 1}
    assert store.documents("job") == [{"a": 1}]
    assert not (tmp_path.parent / "etc").exists()
