"""SQL scripts and Python programs on a real Flink: the whole life of each, all under one address.

The numbers of a sequence go into files, each once, whatever happens to the job in between.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from flinkglue.flink.jars.sources import JarSource
from flinkglue.lifecycle.execute import execute
from flinkglue.lifecycle.journal.file_store import FileStore
from flinkglue.lifecycle.models import Action, Outcome
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.request.changes import JobChanges
from localcloud.flink.access import FlinkAccess
from localcloud.flink.cluster import FlinkCluster
from tests.scenario.lifecycle.flink_versions import NotToBeHad
from tests.scenario.lifecycle.pyflink_environment import python_with_pyflink
from tests.scenario.lifecycle.real_lifecycle import OPTIONS, RealJob
from tests.waiting import eventually

_names = itertools.count(1)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlinkCluster]:
    cluster = FlinkCluster(
        "programs",
        tmp_path_factory.mktemp("flink"),
        settings={"web.refresh-interval": "200", "metrics.fetcher.update-interval": "200"},
    )
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


class ProgramJob(RealJob):
    """A job whose program writes numbers, each with the label of its release."""

    def __init__(self, flink: FlinkAccess, directory: Path, file_name: str) -> None:
        super().__init__(flink, directory, f"{file_name}-{next(_names)}")
        self.program = directory / file_name
        self.numbers = directory / "numbers"
        self._intents = itertools.count(1)

    def ask(self, action: Action, changes: JobChanges | None = None) -> Outcome:
        """As the form and the command line do it: by the program's address."""
        asked = ActionRequest(action, self.job_name, changes or JobChanges())
        return execute(
            asked,
            f"{action}-{next(self._intents)}",
            store=FileStore(self.directory / "journal"),
            backend=self.backend,
            identify=JarSource().identify,
            options=OPTIONS,
        )

    def rows(self) -> list[tuple[int, str]]:
        """The numbers in files that are complete, in order."""
        files = [path for path in self.numbers.glob("part-*") if path.is_file()]
        lines = [line.split(",") for path in files for line in path.read_text().splitlines()]
        return sorted((int(number), label.strip('"')) for number, label in lines)

    def labels(self) -> list[str]:
        """The releases that wrote, in order of what they wrote; and each number is there once."""
        rows = self.rows()
        assert [number for number, _ in rows] == list(range(len(rows)))
        return [label for label, _ in itertools.groupby(label for _, label in rows)]

    def wait_for_release(self, label: str) -> None:
        eventually(lambda: any(written == label for _, written in self.rows()[-1:]))


def sql(job: ProgramJob, label: str, number: str = "n") -> str:
    return f"""\
-- The second INSERT belongs to the same job; a ';' in a comment ends nothing.
SET 'execution.checkpointing.interval' = '1 s';
CREATE TABLE numbers (n BIGINT) WITH (
    'connector' = 'datagen', 'rows-per-second' = '50',
    'fields.n.kind' = 'sequence', 'fields.n.start' = '0', 'fields.n.end' = '20000');
CREATE TABLE kept (n BIGINT, label STRING) WITH (
    'connector' = 'filesystem', 'format' = 'csv', 'path' = '{job.numbers.as_uri()}',
    'sink.rolling-policy.rollover-interval' = '1 s',
    'sink.rolling-policy.check-interval' = '200 ms');
CREATE TABLE counted (n BIGINT, PRIMARY KEY (n) NOT ENFORCED) WITH ('connector' = 'blackhole');
CREATE TEMPORARY VIEW labelled AS SELECT {number} AS n, '{label}' AS label /* ; ' */ FROM numbers
    WHERE '--; it''s' <> CAST(`n` AS STRING);
BEGIN STATEMENT SET;
INSERT INTO kept SELECT n, label FROM labelled;
INSERT INTO counted SELECT COUNT(*) FROM numbers;
END;
"""


@pytest.fixture
def script(cluster: FlinkCluster, tmp_path: Path) -> Iterator[ProgramJob]:
    job = ProgramJob(cluster.access, tmp_path, "numbers.sql")
    yield job
    job.end()


def live_its_life(job: ProgramJob, releases: dict[str, str], changes: JobChanges) -> None:
    """NEW, SAVEPOINT, UPDATE, a bad UPDATE, STOP, START, CANCEL; the address stays the same."""
    job.program.write_text(releases["v1"])
    new = job.ask(Action.NEW, changes).raise_for_failure()
    job.wait_for_release("v1")
    saved = job.ask(Action.SAVEPOINT).raise_for_failure()
    assert job.live_job_ids() == [new.job_id]

    job.program.write_text(releases["v2"])
    update = job.ask(Action.UPDATE).raise_for_failure()
    assert [change.field for change in update.changes] == ["jar"]
    job.wait_for_release("v2")

    job.program.write_text(releases["bad"])
    rolled_back = job.ask(Action.UPDATE)
    assert rolled_back.rolled_back, rolled_back.failure
    assert job.live_job_ids() == [rolled_back.job_id]
    written = len(job.rows())
    eventually(lambda: len(job.rows()) > written)

    stop = job.ask(Action.STOP).raise_for_failure()
    assert job.live_job_ids() == []
    written = len(job.rows())
    start = job.ask(Action.START).raise_for_failure()
    assert start.savepoint_path == stop.savepoint_path
    eventually(lambda: len(job.rows()) > written)
    assert job.ask(Action.CANCEL).state == "CANCELED"
    assert job.live_job_ids() == []
    assert job.labels() == ["v1", "v2"]
    listed = job.ask(Action.LIST_SAVEPOINT).savepoints
    assert listed[-1].path == saved.savepoint_path
    assert len({savepoint.jar_sha256 for savepoint in listed}) == 2


@pytest.fixture
def program(cluster: FlinkCluster, tmp_path: Path) -> Iterator[ProgramJob]:
    job = ProgramJob(cluster.access, tmp_path, "numbers_job.py")
    yield job
    job.end()


def python_changes(job: ProgramJob) -> JobChanges:
    try:
        python = str(python_with_pyflink())
    except NotToBeHad as error:
        pytest.skip(f"PyFlink cannot be had from the package index: {error}")
    settings = {"python.client.executable": python, "python.executable": python}
    helper = job.directory / "labels.py"
    helper.write_text("PREFIX = 'v'")
    return JobChanges(
        jar=str(job.program),
        args=("--to", str(job.numbers)),
        python_files=(str(helper),),
        flink_configuration=settings,
    )


def python(label: str, number: str = "n", then: str = "") -> str:
    return f"""\
import sys
from labels import PREFIX
from pyflink.table import EnvironmentSettings, TableEnvironment

tables = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
tables.get_config().set("execution.checkpointing.interval", "1 s")
tables.execute_sql(\"\"\"CREATE TABLE numbers (n BIGINT) WITH (
    'connector' = 'datagen', 'rows-per-second' = '50',
    'fields.n.kind' = 'sequence', 'fields.n.start' = '0', 'fields.n.end' = '20000')\"\"\")
tables.execute_sql(f\"\"\"CREATE TABLE kept (n BIGINT, label STRING) WITH (
    'connector' = 'filesystem', 'format' = 'csv', 'path' = 'file://{{sys.argv[2]}}',
    'sink.rolling-policy.rollover-interval' = '1 s',
    'sink.rolling-policy.check-interval' = '200 ms')\"\"\")
insert = f"INSERT INTO kept SELECT {number}, '{{PREFIX}}{label[1:]}' FROM numbers"
result = tables.execute_sql(insert)
{then}
"""


def test_a_python_program_lives_its_whole_life(program: ProgramJob) -> None:
    """As most do, it waits for its job: a failure, of which only the story tells."""
    releases = {
        "v1": python("v1", then="result.wait()"),
        "v2": python("v2", then="result.wait()"),
        "bad": python("v3", number="n / (n - n)"),
    }
    live_its_life(program, releases, python_changes(program))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import nowhere", "No module named 'nowhere'"),
        (python("v1", then="tables.execute_sql(insert)"), "more than one job"),
        ("", "main() submits no job"),
    ],
)
def test_a_program_that_is_no_one_job_leaves_nothing_running(
    program: ProgramJob, text: str, told: str
) -> None:
    changes = python_changes(program)
    program.program.write_text(text)
    outcome = program.ask(Action.NEW, changes)
    assert told in outcome.failure
    assert program.live_job_ids() == []


def test_a_sql_script_lives_its_whole_life(script: ProgramJob) -> None:
    releases = {
        "v1": sql(script, "v1"),
        "v2": sql(script, "v2"),
        "bad": sql(script, "bad", number="n / (n - n)"),
    }
    live_its_life(script, releases, JobChanges(jar=str(script.program)))


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("SELECT 1;", "line 13, SELECT 1"),
        ("CREATE TABLE copy WITH ('connector' = 'blackhole') AS SELECT 1 AS n;", "line 13, CREATE"),
        ("INSERT INTO nowhere SELECT 1;", "nowhere"),
        ("SET 'a' = 'b';", ""),
    ],
)
def test_a_script_that_is_no_one_job_is_refused_before_anything_runs(
    script: ProgramJob, statement: str, told: str
) -> None:
    lines = sql(script, "v1").splitlines()
    inserts = lines[-4:] if told else []
    script.program.write_text("\n".join([*lines[:-4], statement, *inserts]))
    outcome = script.ask(Action.NEW, JobChanges(jar=str(script.program)))
    assert (told or "has no INSERT") in outcome.failure
    assert script.job_ids() == []
