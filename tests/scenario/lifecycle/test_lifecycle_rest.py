"""The eleven actions on a real Flink cluster: counts are read from the job's own output.

FLINK_LIB_DIR names the lib directory of another Flink distribution (1.17 or later) to act on.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from flinkglue.lifecycle.actions.inventory import apply_retention
from flinkglue.lifecycle.journal.file_store import FileStore
from flinkglue.lifecycle.journal.journal import Journal
from flinkglue.lifecycle.models import Action
from flinkglue.lifecycle.state.retention import Retention
from infra.flink_action import main
from localcloud.flink.cluster import FlinkCluster
from localcloud.flink.door import FlinkDoor, Visitors
from localcloud.web.proxy import passing_on
from localcloud.web.serving import AsgiServer
from tests.scenario.lifecycle.disturbing import GATEWAY_TURNS, TWIN_TURNS, BehindGateway, Twins
from tests.scenario.lifecycle.killing import KILLS, kill_at_random, take_turns
from tests.scenario.lifecycle.real_lifecycle import ROOT, RealJob
from tests.waiting import eventually

_names = itertools.count(1)
TOKEN = "token-1"
RUNBOOK = ROOT / "docs" / "how-to" / "flink-runbook.md"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlinkCluster]:
    lib_dir = os.environ.get("FLINK_LIB_DIR")
    cluster = FlinkCluster(
        "lifecycle",
        tmp_path_factory.mktemp("flink"),
        lib_dir=Path(lib_dir) if lib_dir else None,
        settings={"web.refresh-interval": "200", "metrics.fetcher.update-interval": "200"},
    )
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def signed_in(cluster: FlinkCluster) -> Iterator[str]:
    """The address of the cluster behind a gateway that takes a token, as in the local cloud."""
    verify = cluster.tls.client_context()
    server = AsgiServer(
        FlinkDoor(passing_on(lambda: cluster.rest_url, "flink", verify=verify), Visitors(TOKEN))
    )
    server.start()
    yield server.url
    server.stop()


@pytest.fixture
def job(cluster: FlinkCluster, tmp_path: Path) -> Iterator[RealJob]:
    """A job that does not run yet."""
    job = RealJob(cluster.access, tmp_path, f"orders-{next(_names)}")
    yield job
    job.end()


@pytest.fixture
def running(job: RealJob) -> str:
    """The job runs and has counted; its Flink job id."""
    job_id = job.act(Action.NEW, "new", spec=job.spec()).raise_for_failure().job_id
    eventually(lambda: job.total(job_id, "running") > 100)
    return job_id


def test_stop_and_start_keep_the_counts(job: RealJob, running: str) -> None:
    stop = job.act(Action.STOP, "stop").raise_for_failure()
    assert job.live_job_ids() == []
    start = job.act(Action.START, "start").raise_for_failure()
    assert start.savepoint_path == stop.savepoint_path
    assert job.live_job_ids() == [start.job_id]
    assert job.total(start.job_id, "restored") == job.total(running, "closed") > 100


def test_update_keeps_the_counts_and_shows_what_changed(job: RealJob, running: str) -> None:
    outcome = job.act(Action.UPDATE, "update", spec=job.spec(label="v2")).raise_for_failure()
    assert job.live_job_ids() == [outcome.job_id]
    assert job.total(outcome.job_id, "restored") == job.total(running, "closed") > 100
    assert job.lines(outcome.job_id)[-1].label == "v2"
    assert [change.field for change in outcome.changes] == ["args"]


def test_a_job_on_forst_keeps_its_counts_by_native_savepoints(job: RealJob) -> None:
    """A canonical one would fail its tasks: Flink would restart it."""
    if os.environ.get("FLINK_LIB_DIR"):
        pytest.skip("ForSt is part of Flink from 2.0 on")
    forst = {"state.backend.type": "forst"}
    spec = replace(job.spec(), flink_configuration=forst)
    job_id = job.act(Action.NEW, "new", spec=spec).raise_for_failure().job_id
    eventually(lambda: job.total(job_id, "running") > 100)
    assert job.act(Action.SAVEPOINT, "savepoint").succeeded
    view = job.backend.view(job_id)
    assert view
    assert (view.state_backend, view.restarts) == ("ForStStateBackend", 0)
    new_spec = replace(job.spec(label="v2"), flink_configuration=forst)
    outcome = job.act(Action.UPDATE, "update", spec=new_spec).raise_for_failure()
    assert job.total(outcome.job_id, "restored") == job.total(job_id, "closed") > 100
    assert {one.format for one in job.journal.savepoints(job.job_name)} == {"NATIVE"}


@pytest.mark.parametrize("action", [Action.LAST_STATE_UPDATE, Action.RE_LAUNCH])
def test_the_newest_checkpoint_brings_the_counts_back(
    job: RealJob, running: str, action: Action
) -> None:
    outcome = job.act(action, "again").raise_for_failure()
    assert job.live_job_ids() == [outcome.job_id]
    assert outcome.savepoint_path
    number = outcome.savepoint_path.rpartition("chk-")[2]
    restored = job.total(outcome.job_id, "restored")
    assert restored == job.total(running, f"snapshot-{number}") > 0


def test_stateless_update_begins_at_nothing(job: RealJob, running: str) -> None:
    spec = job.spec(label="v2")
    outcome = job.act(Action.STATELESS_UPDATE, "clean", spec=spec).raise_for_failure()
    assert job.live_job_ids() == [outcome.job_id]
    assert job.total(outcome.job_id, "started") == 0


@pytest.mark.parametrize(
    ("jar", "cause"),
    [
        ("bad/ThrowsInMain.jar", "this release throws in its main method"),
        ("bad/MissingClass.jar", "StatefulCount"),
        ("bad/IncompatibleState.jar", "serializer"),
        ("bad/TwoJobs.jar", "main() submits more than one job"),
        ("bad/NoJob.jar", "main() submits no job"),
    ],
)
def test_a_bad_jar_leaves_the_old_job_running_with_its_counts(
    job: RealJob, running: str, jar: str, cause: str
) -> None:
    outcome = job.act(Action.UPDATE, "update", spec=job.spec(jar, "bad"))
    print("\n".join((outcome.failure, *outcome.story)))
    assert cause in outcome.failure
    assert job.live_job_ids() == [outcome.job_id]
    newest = job.lines(outcome.job_id)[-1]
    eventually(lambda: job.lines(outcome.job_id)[-1].total > newest.total)
    assert newest.label == "v1"
    if outcome.rolled_back:
        assert job.total(outcome.job_id, "restored") == job.total(running, "closed") > 100
    else:
        assert outcome.job_id == running


def test_a_release_whose_main_fails_after_its_submit_is_a_good_one(job: RealJob) -> None:
    """Flink answers the submit with an error, and the job runs: it can be started and updated."""
    release = job.spec("ThrowsAfterSubmit.jar", "v2")
    new = job.act(Action.NEW, "new", spec=release).raise_for_failure()
    update = job.act(Action.UPDATE, "update", spec=release).raise_for_failure()
    assert job.live_job_ids() == [update.job_id]
    assert job.total(update.job_id, "restored") == job.total(new.job_id, "closed") > 0
    assert any("main() failed after" in line for line in update.story)


def test_new_of_a_jar_with_two_jobs_leaves_none(job: RealJob) -> None:
    outcome = job.act(Action.NEW, "new", spec=job.spec("bad/TwoJobs.jar"))
    assert "main() submits more than one job" in outcome.failure
    assert job.live_job_ids() == []


def test_savepoints_are_listed_and_the_old_ones_disposed_of(job: RealJob, running: str) -> None:
    paths = [
        job.act(Action.SAVEPOINT, f"savepoint-{number}").raise_for_failure().savepoint_path
        for number in range(3)
    ]
    assert job.live_job_ids() == [running]
    listed = job.act(Action.LIST_SAVEPOINT, "list").savepoints
    assert [savepoint.path for savepoint in listed] == paths[::-1]
    assert all(savepoint.is_stored and savepoint.size_bytes for savepoint in listed)
    gone = apply_retention(job.job_name, Retention(keep=1), job.backend, job.journal, time.time)
    assert [savepoint.path for savepoint in gone.disposed] == paths[:2]
    (kept,) = job.act(Action.LIST_SAVEPOINT, "list").savepoints
    assert (kept.path, kept.is_stored) == (paths[2], True)


def test_the_runbooks_commands_end_as_the_page_says(
    cluster: FlinkCluster,
    signed_in: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its block "Try it", on this cluster; a comment names the exit code where it is not 0."""
    monkeypatch.setenv("FLINK_TOKEN", TOKEN)
    ended, outcomes = [], []
    for arguments, expected in tried_commands(signed_in, tmp_path):
        seconds = "3" if expected else "1"  # a crash loop looks stable for a moment
        ended.append((arguments[0], main([*arguments, "--stable-seconds", seconds]), expected))
        outcomes.append(json.loads(capsys.readouterr().out))
    assert [each for each in ended if each[1] != each[2]] == []
    assert [action for action, *_ in ended] == [
        "NEW", "UPDATE", "UPDATE", "STOP", "LIST_SAVEPOINT", "START", "CANCEL", "DELETE",
    ]  # fmt: skip
    bad, stop, listed = outcomes[2:5]
    assert "this release fails after 50 events" in bad["failure"]
    assert bad["rolled_back"]
    assert stop["savepoint_path"] in [each["path"] for each in listed["savepoints"]]
    counts = [line.split(" ") for line in (tmp_path / "counts.txt").read_text().splitlines()]
    totals = {(words[1], words[4]): int(words[2]) for words in counts}
    updated, back, started = (outcomes[place]["job_id"] for place in (1, 2, 5))
    assert totals[back, "restored"] == totals[updated, "closed"] > 0
    assert totals[started, "restored"] == totals[back, "closed"] > 0
    with cluster.access.connect() as client:
        jobs = [job for job in client.jobs() if job.job_name == "counts"]
    assert [job for job in jobs if not job.is_terminal] == []
    record = Journal(FileStore(tmp_path / "journal")).job_record("counts")
    assert jobs
    assert record.spec is None


def tried_commands(url: str, directory: Path) -> Iterator[tuple[list[str], int]]:
    """The arguments of each `flink` command of the block, and the exit code that it should have."""
    block = RUNBOOK.read_text(encoding="utf-8").split("\n## Try it\n")[1].split("```")[1]
    block = block.replace("\\\n", " ").replace("/tmp/try-flink", str(directory))
    (given,) = re.findall(r'python -m infra.flink_action "\$@" (.*); \}', block)
    common = shlex.split(given.replace("http://127.0.0.1:18081", url))
    for line in re.findall(r"^flink (.+)$", block, re.MULTILINE):
        (code,) = re.findall(r"# exit code (\d)", line) or ["0"]
        yield [*shlex.split(line, comments=True), *common], int(code)


def test_processes_killed_at_random_leave_one_job_with_its_counts(job: RealJob) -> None:
    """SIGKILL, and the same intent again: one job in the wanted state, no savepoint lost."""
    kill_at_random(job, KILLS)


def test_what_a_gateway_answers_is_never_taken_for_the_job(job: RealJob) -> None:
    """HTML, redirects and other people's JSON at any call: one job, no state lost or skipped."""
    take_turns(job, GATEWAY_TURNS, lambda rng: BehindGateway(job, rng))


def test_two_processes_with_one_intent_leave_one_job(job: RealJob) -> None:
    """Side by side, one paused in the middle, clocks an hour apart: done once, nothing lost."""
    take_turns(job, TWIN_TURNS, lambda rng: Twins(job, rng, pause_seconds=1))
