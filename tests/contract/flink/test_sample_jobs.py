"""The sample jars of jobs/flink on a real Flink cluster.

FLINK_LIB_DIR names the lib directory of another Flink distribution (1.17 or later) to run them on.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from flinkglue.errors import CallFailed
from flinkglue.flink.api.rest import FlinkRestClient
from localcloud.flink.cluster import FlinkCluster
from tests.waiting import eventually

ROOT = Path(__file__).parents[3]
JOBS = ROOT / "jobs" / "flink"
WORD_COUNT = "org.apache.flink.examples.java.wordcount.WordCount"
STATEFUL_COUNT = "flinkglue.jobs.StatefulCount"
FRESH_ANSWERS = {"web.refresh-interval": "200", "metrics.fetcher.update-interval": "200"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlinkCluster]:
    lib_dir = os.environ.get("FLINK_LIB_DIR")
    cluster = FlinkCluster(
        "sample-jobs",
        tmp_path_factory.mktemp("flink"),
        lib_dir=Path(lib_dir) if lib_dir else None,
        settings=FRESH_ANSWERS,
    )
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="module")
def flink(cluster: FlinkCluster) -> Iterator[FlinkRestClient]:
    with cluster.access.connect() as client:
        yield client


def submit(flink: FlinkRestClient, jar_name: str, **job: Any) -> str:
    jar_id = flink.upload_jar(JOBS / jar_name)
    try:
        return flink.run_jar(jar_id, **{"job_id": uuid4().hex, "parallelism": 2, **job})
    finally:
        flink.delete_jar(jar_id)


@dataclass(frozen=True)
class Line:
    """A line of the stateful job's own output."""

    total: int
    label: str
    event: str
    count_per_key: dict[str, int]

    @classmethod
    def of(cls, words: list[str]) -> "Line":
        counts = {} if words[5] == "-" else dict(count.split("=") for count in words[5].split(","))
        return cls(int(words[2]), words[3], words[4], {key: int(n) for key, n in counts.items()})


class StatefulCounts:
    """Starts and ends stateful jobs that write to one file."""

    def __init__(self, cluster: FlinkCluster, flink: FlinkRestClient, output: Path) -> None:
        self.cluster = cluster
        self.flink = flink
        self.output = output
        self.started: list[str] = []

    def start(self, jar: str = "StatefulCount.jar", *args: str, **job: Any) -> str:
        program_args = ["--output", str(self.output), "--checkpoint-every-seconds", "1", *args]
        job_id = submit(
            self.flink, jar, entry_class=STATEFUL_COUNT, program_args=program_args, **job
        )
        self.started.append(job_id)
        return job_id

    def lines(self, job_id: str) -> list[Line]:
        if not self.output.exists():
            return []
        rows = [row.split(" ") for row in self.output.read_text().splitlines()]
        return [Line.of(words) for words in rows if words[1] == job_id]

    def line(self, job_id: str, event: str) -> Line:
        return eventually(lambda: next((x for x in self.lines(job_id) if x.event == event), None))

    def wait_for_events(self, job_id: str, events: int) -> Line:
        def enough() -> Line | None:
            lines = self.lines(job_id)
            return lines[-1] if lines and lines[-1].total >= lines[0].total + events else None

        return eventually(enough)

    def stop_with_savepoint(self, job_id: str) -> str:
        with self.cluster.access.http() as http:
            request = http.post(f"/jobs/{job_id}/stop", json={"drain": False}).raise_for_status()
            place = f"/jobs/{job_id}/savepoints/{request.json()['request-id']}"
            eventually(lambda: http.get(place).json()["status"]["id"] == "COMPLETED")
            location: str = http.get(place).json()["operation"]["location"]
        eventually(lambda: self.flink.job(job_id).state == "FINISHED")
        return location

    def cancel(self, job_id: str) -> None:
        if not self.flink.job(job_id).is_terminal:
            self.flink.cancel(job_id)
            eventually(lambda: self.flink.job(job_id).state == "CANCELED")


@pytest.fixture
def counts(
    cluster: FlinkCluster, flink: FlinkRestClient, tmp_path: Path
) -> Iterator[StatefulCounts]:
    counts = StatefulCounts(cluster, flink, tmp_path / "out" / "counts.txt")
    yield counts
    for job_id in counts.started:
        counts.cancel(job_id)


def test_word_count_counts_every_word_of_a_real_text(
    cluster: FlinkCluster, flink: FlinkRestClient, tmp_path: Path
) -> None:
    """The lines, the accumulators, the name and the parallelism are what was asked for."""
    text = (ROOT / "LICENSE").read_text().lower()
    expected = Counter(word for word in re.split(r"[^a-z0-9]+", text) if word)
    job_id = submit(
        flink,
        "WordCount.jar",
        entry_class=WORD_COUNT,
        program_args=["--input", str(ROOT / "LICENSE"), "--output", str(tmp_path / "out")],
        flink_configuration={"pipeline.name": "license-words"},
    )
    eventually(lambda: flink.job(job_id).is_terminal)

    job = flink.job(job_id)
    assert (job.job_name, job.state) == ("license-words", "FINISHED")
    with cluster.access.http() as http:
        vertices = http.get(f"/jobs/{job_id}").json()["vertices"]
    assert {vertex["parallelism"] for vertex in vertices} == {2}
    rows = [row for file in (tmp_path / "out").iterdir() for row in file.read_text().splitlines()]
    assert sorted(rows) == sorted(f"{word} {count}" for word, count in expected.items())
    most_frequent = sorted(expected.items(), key=lambda entry: (-entry[1], entry[0]))[:20]
    assert flink.accumulators(job_id) == {
        "word-counts": ", ".join(f"{word}={count}" for word, count in most_frequent),
        "total-words": str(expected.total()),
        "distinct-words": str(len(expected)),
    }


def test_an_empty_text_has_no_words(flink: FlinkRestClient, tmp_path: Path) -> None:
    empty = tmp_path / "empty.txt"
    empty.touch()
    arguments = ["--input", str(empty), "--output", str(tmp_path / "out")]
    job_id = submit(flink, "WordCount.jar", entry_class=WORD_COUNT, program_args=arguments)
    eventually(lambda: flink.job(job_id).is_terminal)
    assert flink.job(job_id).state == "FINISHED"
    assert flink.accumulators(job_id)["word-counts"] == ""
    assert flink.accumulators(job_id)["total-words"] == "0"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (
            ["--input", "/no/such/file", "--output", "/tmp/x"],
            "--input /no/such/file does not exist",
        ),
        (["--input", "/etc/hosts"], "--output is missing"),
        (["--input", "/etc/hosts", "--ouput", "/tmp/x"], "unknown argument '--ouput'; allowed: "),
        (["--input", "/etc/hosts", "--output"], "--output has no value"),
        (["--input", "a", "--input", "b"], "--input is given twice"),
    ],
)
def test_word_count_refuses_bad_arguments_when_it_is_submitted(
    flink: FlinkRestClient, arguments: list[str], reason: str
) -> None:
    jobs = len(flink.jobs())
    with pytest.raises(CallFailed, match=re.escape(reason)):
        submit(flink, "WordCount.jar", entry_class=WORD_COUNT, program_args=arguments)
    assert len(flink.jobs()) == jobs


def test_a_stopped_job_goes_on_counting_where_it_stopped(counts: StatefulCounts) -> None:
    """The same, twice: with a new release, and with other parallelisms."""
    job_id = counts.start()
    assert counts.line(job_id, "started").total == 0
    counts.wait_for_events(job_id, 150)
    for parallelism in (3, 1):
        savepoint = counts.stop_with_savepoint(job_id)
        stopped = counts.line(job_id, "closed")
        assert sum(stopped.count_per_key.values()) == stopped.total

        job_id = counts.start(
            "StatefulCount.jar", "--label", "v2", parallelism=parallelism, savepoint_path=savepoint
        )
        restored = counts.line(job_id, "restored")
        assert (restored.total, restored.label) == (stopped.total, "v2")
        # Ten keys take turns: after this many events each has come again.
        later = counts.wait_for_events(job_id, 150)
        assert sum(later.count_per_key.values()) == later.total


def test_a_job_started_without_a_savepoint_counts_from_zero(counts: StatefulCounts) -> None:
    first = counts.start()
    counts.wait_for_events(first, 100)
    counts.stop_with_savepoint(first)
    assert counts.line(counts.start(), "started").total == 0


def test_a_cancelled_job_restarts_from_its_retained_checkpoint(counts: StatefulCounts) -> None:
    """What the restarted job found is what the job reported for that checkpoint."""
    job_id = counts.start()
    counts.wait_for_events(job_id, 100)
    eventually(lambda: counts.flink.checkpoints(job_id).completed >= 2)
    counts.cancel(job_id)
    retained = counts.flink.checkpoints(job_id).latest_completed
    assert retained is not None
    restarted = counts.start(savepoint_path=retained.external_path)
    held = counts.line(job_id, f"snapshot-{retained.checkpoint_id}")
    assert held.total > 0
    assert counts.line(restarted, "restored").total == held.total


def test_the_total_is_a_metric_and_an_accumulator(counts: StatefulCounts) -> None:
    job_id = counts.start("StatefulCount.jar", "--rate", "50")
    eventually(lambda: counts.flink.job(job_id).is_running_for_real)
    with counts.cluster.access.http() as http:
        vertices = http.get(f"/jobs/{job_id}").json()["vertices"]
    vertex = next(vertex for vertex in vertices if vertex["name"] == "total")
    metric = f"/jobs/{job_id}/vertices/{vertex['id']}/metrics"

    def gauge() -> int:
        with counts.cluster.access.http() as http:
            found = http.get(metric, params={"get": "0.total.total"}).json()
        return int(found[0]["value"]) if found else 0

    assert 0 < eventually(gauge) <= counts.wait_for_events(job_id, 50).total
    eventually(lambda: int(counts.flink.accumulators(job_id).get("total", 0)) > 0)
    assert counts.flink.accumulators(job_id)["restored-total"] == "0"


@pytest.mark.parametrize(
    ("jar", "status", "reason"),
    [
        ("bad/ThrowsInMain.jar", 400, "IllegalStateException: this release throws in its main"),
        ("bad/MissingClass.jar", 500, "ClassNotFoundException: flinkglue.jobs.StatefulCount"),
    ],
)
def test_a_bad_release_that_never_becomes_a_job(
    counts: StatefulCounts, jar: str, status: int, reason: str
) -> None:
    with pytest.raises(CallFailed, match=re.escape(reason)) as failure:
        counts.start(jar)
    assert failure.value.status == status


@pytest.mark.parametrize(
    ("jar", "reason"),
    [
        ("bad/IncompatibleState.jar", "StateMigrationException"),
        ("bad/CrashLoop.jar", "IllegalStateException: this release fails after 50 events"),
    ],
)
def test_a_bad_release_that_restarts_for_ever(
    counts: StatefulCounts, jar: str, reason: str
) -> None:
    """Flink takes it, and goes on restarting it from the savepoint; the old release still can."""
    good = counts.start()
    counts.wait_for_events(good, 100)
    savepoint = counts.stop_with_savepoint(good)
    stopped = counts.line(good, "closed").total

    bad = counts.start(jar, "--label", "bad", savepoint_path=savepoint)
    eventually(lambda: counts.flink.exceptions(bad).failures >= 2)
    assert reason in (counts.flink.exceptions(bad).root_cause or "")
    assert not counts.flink.job(bad).is_terminal
    counts.cancel(bad)
    back = counts.start(savepoint_path=savepoint)
    assert counts.line(back, "restored").total == stopped


def test_incompatible_state_is_only_about_restoring(counts: StatefulCounts) -> None:
    """Started clean, the release runs: a stateless update to it works."""
    job_id = counts.start("bad/IncompatibleState.jar")
    counts.wait_for_events(job_id, 100)
    assert counts.flink.exceptions(job_id).failures == 0
