"""The journal of Flink actions on a Prefect server: contenders, long documents, fresh processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from prefect.settings import PREFECT_API_URL

from flinkglue.blocks.flink import FlinkRestCluster
from flinkglue.errors import CallFailed, Conflict
from flinkglue.lifecycle.execute import execute
from flinkglue.lifecycle.journal.journal import Journal, JournalStore
from flinkglue.lifecycle.models import Action, Outcome, Savepoint
from flinkglue.lifecycle.readiness import ReadyLimits
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.request.changes import JobChanges
from flinkglue.lifecycle.request.options import ActionOptions
from flinkglue.prefect.store.document_parts import VALUE_CHARACTERS
from flinkglue.prefect.store.server_records import ServerRecords, server_records
from flinkglue.prefect.store.variable_journal import VariableStore
from tests.harness.flink.served_flink import served_jobmanager
from tests.unit.lifecycle.fake_flink_jobs import Behaviour

REPOSITORY = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.usefixtures("prefect_files")


@pytest.fixture
def records(prefect_files: object) -> Iterator[ServerRecords]:
    with server_records() as opened:
        yield opened


@pytest.fixture
def store(records: ServerRecords) -> VariableStore:
    return VariableStore(records, "here")


@pytest.fixture
def key() -> str:
    """A key that no other test uses, with what people put into job names."""
    return f"Orders: naïve/{uuid4()}"


def contender(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.harness.flink.journal_contender", *arguments],
        cwd=REPOSITORY,
        env={"PREFECT_API_URL": str(PREFECT_API_URL.value()), "PATH": os.environ["PATH"]},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_the_store_keeps_documents_by_kind_and_key(store: JournalStore, key: str) -> None:
    """Write, read, write over, delete; kinds do not mix."""
    assert store.read("job", key) is None
    store.write("job", key, {"a": [1, None, "ü"]})
    assert store.read("job", key) == {"a": [1, None, "ü"]}
    assert store.read("claim", key) is None
    store.write("job", key, {"a": 2})
    assert store.read("job", key) == {"a": 2}
    store.delete("job", key)
    store.delete("job", key)
    assert store.read("job", key) is None


def test_one_name_on_two_clusters_is_two_jobs(
    store: VariableStore, records: ServerRecords, key: str
) -> None:
    """Neither its record nor its savepoints are those of the other."""
    elsewhere = VariableStore(records, "elsewhere")
    store.write("job", key, {"at": "here"})
    elsewhere.write("job", key, {"at": "elsewhere"})
    assert store.read("job", key) == {"at": "here"}
    assert {"at": "here"} not in elsewhere.documents("job")
    assert {"at": "elsewhere"} in elsewhere.documents("job")


def test_what_is_there_is_not_created_again(store: JournalStore, key: str) -> None:
    """The first document wins and is as it was."""
    assert store.swap("claim", key, None, {"intent": "first"})
    assert not store.swap("claim", key, None, {"intent": "second"})
    assert store.read("claim", key) == {"intent": "first"}


def test_keys_that_differ_little_are_different(store: JournalStore, key: str) -> None:
    """A Variable's name knows lower case and dashes only."""
    for variant in (key, key.upper(), key + " ", key + "-"):
        store.write("job", variant, {"key": variant})
    assert store.read("job", key.upper()) == {"key": key.upper()}


@pytest.mark.parametrize("characters", [VALUE_CHARACTERS - 60, VALUE_CHARACTERS, 200_000])
def test_a_document_of_any_length_is_kept(
    store: VariableStore, records: ServerRecords, key: str, characters: int
) -> None:
    """A Variable holds 5,000 characters; longer documents lie in several, and leave none behind."""
    parts_before = len(records.tagged("flink-journal-part"))
    document = {"outcome": {}, "story": [os.urandom(characters // 2).hex()]}
    store.write("intent", key, document)
    assert store.read("intent", key) == document
    shorter = {"outcome": {}, "story": ["short"]}
    store.write("intent", key, shorter)
    assert store.read("intent", key) == shorter
    store.write("intent", key, document)
    assert document in store.documents("intent")
    store.delete("intent", key)
    assert store.read("intent", key) is None
    assert len(records.tagged("flink-journal-part")) == parts_before


def test_the_server_refuses_what_is_too_long_for_a_variable(records: ServerRecords) -> None:
    """The limit that the store works around: should it rise, the store may be simpler."""
    fits = {"document": "x" * (VALUE_CHARACTERS - len('{"document":""}'))}
    assert records.create(f"fits-{uuid4()}", fits, [])
    with pytest.raises(CallFailed):
        records.create(f"too-long-{uuid4()}", {"document": fits["document"] + "x"}, [])


def test_one_of_many_threads_creates(store: VariableStore, key: str) -> None:
    """As one indivisible step of the server."""
    won: list[int] = []
    start = threading.Barrier(8)

    def contend(number: int) -> None:
        start.wait()
        if store.swap("claim", key, None, {"number": number}):
            won.append(number)

    threads = [threading.Thread(target=contend, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert store.read("claim", key) == {"number": won[0]}


def test_one_of_two_processes_acts_on_a_job(store: VariableStore, key: str) -> None:
    """The other is told who does."""
    processes = [contender("claim", f"run-{number}", key) for number in (1, 2)]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    said = sorted(process.communicate("go\n")[0] for process in processes)
    assert said[0] == "began\n"
    owner = Journal(store).owner(key)
    assert said[1] == f"refused: the intent {owner} has not ended\n"


def test_a_fresh_process_reads_what_another_wrote(store: VariableStore, key: str) -> None:
    """Long documents, too."""
    document = {"text": os.urandom(5000).hex()}
    store.write("job", key, document)
    process = contender("read", "job", key)
    assert json.loads(process.communicate()[0]) == document


def test_an_intent_is_gone_on_with_and_its_job_is_free_when_it_ended(
    store: VariableStore, key: str
) -> None:
    """The journal's promises hold on Prefect's storage as on files."""
    journal, intent = Journal(store), f"intent {key}"
    with journal.begin(intent, Action.UPDATE, key) as first:
        first.note(story=("one",), facts={"plan": {"x": 1}})
        with pytest.raises(Conflict, match="has not ended"):
            journal.begin(f"another {key}", Action.STOP, key)
    again = journal.begin(intent, Action.UPDATE, key)
    assert (again.entry.facts, again.entry.story) == ({"plan": {"x": 1}}, ("one",))
    outcome = Outcome(Action.UPDATE, key, failure="bad jar", story=("one", "two"))
    again.end(outcome)
    assert journal.begin(intent, Action.UPDATE, key).entry.outcome == outcome
    with journal.begin(f"another {key}", Action.STOP, key) as another:
        assert another.entry.outcome is None


@pytest.mark.parametrize("characters", [10, 20_000])
def test_of_many_that_swap_one_version_one_does(
    store: VariableStore, records: ServerRecords, key: str, characters: int
) -> None:
    """Whoever comes later finds it changed; neither leaves parts of long documents behind."""
    parts_before = len(records.tagged("flink-journal-part"))
    version = store.swap("intent", key, None, {"text": os.urandom(characters).hex()})
    assert version
    swapped: list[str | None] = []
    start = threading.Barrier(6)

    def contend(number: int) -> None:
        document = {"number": number, "text": os.urandom(characters).hex()}
        start.wait()
        swapped.append(store.swap("intent", key, version, document))

    threads = [threading.Thread(target=contend, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (won,) = filter(None, swapped)
    stored = store.stored("intent", key)
    assert stored
    assert stored.version == won
    assert store.swap("intent", key, version, {"late": True}) is None
    assert store.swap("intent", key, won, None)
    assert store.read("intent", key) is None
    assert store.swap("intent", key, None, {"late": True}) is None
    assert len(records.tagged("flink-journal-part")) == parts_before


def test_what_is_touched_is_seen_to_be(store: VariableStore, key: str) -> None:
    """By the server's own date; what is not touched stays as it is, what is gone cannot be."""
    version = store.swap("claim", key, None, {"intent": "run-1"})
    assert version
    before = store.stored("claim", key)
    assert before
    time.sleep(0.1)
    untouched = store.stored("claim", key)
    assert untouched
    assert untouched.mark == before.mark
    assert store.touch("claim", key, version)
    after = store.stored("claim", key)
    assert after
    assert (after.version, after.document) == (version, {"intent": "run-1"})
    assert after.mark != before.mark
    assert store.swap("claim", key, version, None)
    assert not store.touch("claim", key, version)


def test_what_an_earlier_release_wrote_is_read_and_swapped(store: VariableStore, key: str) -> None:
    store.write("claim", key, {"intent": "run-1"})
    stored = store.stored("claim", key)
    assert stored
    assert store.swap("claim", key, stored.version, {"intent": key})
    assert store.read("claim", key) == {"intent": key}
    assert store.documents("claim").count({"intent": key}) == 1


@pytest.mark.parametrize("kills_first", [False, True])
def test_two_processes_with_one_intent_make_one_job(
    store: VariableStore, key: str, tmp_path: Path, kills_first: bool
) -> None:
    """A build that is started again while its first process lives, or was killed a moment ago."""
    jars = [tmp_path / f"{number}.jar" for number in range(2)]
    for jar, behaviour in zip(jars, (Behaviour.GOOD, Behaviour.OTHER_GOOD), strict=True):
        jar.write_text(behaviour)
    with served_jobmanager() as flink:
        cluster = FlinkRestCluster(url=flink.url)
        with cluster.get_backend() as backend:
            execute(
                ActionRequest(Action.NEW, key, JobChanges(jar=str(jars[0]))),
                f"new {key}",
                store=store,
                backend=backend,
                identify=cluster.get_jars().identify,
                options=ActionOptions(ready=ReadyLimits(stable_seconds=0.2)),
            ).raise_for_failure()
        processes = [
            contender("update", f"build {key}", key, flink.url, str(jars[1])) for _ in range(2)
        ]
        for process in processes:
            assert process.stdout
            assert process.stdin
            assert process.stdout.readline() == "ready\n"
            process.stdin.write("go\n")
            process.stdin.flush()
        if kills_first:
            time.sleep(0.7)
            processes[0].kill()
        said = [process.communicate()[0] for process in processes]
        (live,) = flink.live_jobs()
        for line in said[kills_first:]:
            assert json.loads(line) == {"job_id": live.job_id, "failure": ""}
        assert live.behaviour is Behaviour.OTHER_GOOD
        assert Journal(store).owner(key) is None


def test_the_ledger_lists_a_jobs_savepoints_newest_first(store: VariableStore, key: str) -> None:
    """Of this job alone."""
    journal = Journal(store)
    for at in (1.0, 3.0, 2.0):
        journal.record_savepoint(Savepoint(key, "a" * 32, f"file:/s/{at}", taken_at=at))
    journal.record_savepoint(Savepoint(f"{key} 2", "b" * 32, "file:/s/4", taken_at=4))
    assert [savepoint.taken_at for savepoint in journal.savepoints(key)] == [3.0, 2.0, 1.0]


def test_intents_that_ended_long_ago_are_forgotten(store: VariableStore, key: str) -> None:
    """Unfinished ones stay, however old."""
    journal = Journal(store)
    ended = Outcome(Action.NEW, key, failure="x" * 9000)
    journal.begin(f"ended {key}", Action.NEW, key).end(ended)
    journal.begin(f"open {key}", Action.STOP, f"{key} 2").let_go()
    assert store.forget_ended_intents(older_than_seconds=7 * 86400) == 0
    assert store.forget_ended_intents(older_than_seconds=-1) >= 1
    assert journal.entry(f"ended {key}") is None
    assert journal.entry(f"open {key}") is not None
