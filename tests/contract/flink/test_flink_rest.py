"""The REST client and the local cluster: real Flink, behind the recording proxy."""

import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from flinkglue.clock import Pace
from flinkglue.errors import CallFailed, Conflict, InDoubt, NotFound, ServiceUnavailable
from flinkglue.flink.api.rest import FlinkRestClient
from flinkglue.lifecycle.models import JobView
from flinkglue.polling import wait_until
from localcloud.config import CloudConfig
from localcloud.flink.part import FlinkPart
from localcloud.web.wire import Wire
from tests.waiting import eventually

pytestmark = pytest.mark.contract

JARS = Path(__file__).parents[3] / "jobs" / "flink"
WORD_COUNT = "org.apache.flink.examples.java.wordcount.WordCount"


@pytest.fixture(scope="module")
def flink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlinkPart]:
    config = CloudConfig(state_dir=tmp_path_factory.mktemp("cloud"), flink_task_slots=2)
    part = FlinkPart(config, Wire())
    part.start()
    yield part
    part.stop()


@pytest.fixture
def wire(flink: FlinkPart) -> Iterator[Wire]:
    yield flink.wire
    flink.wire.faults.clear()
    flink.wire.requests.clear()


@pytest.fixture
def client(flink: FlinkPart, wire: Wire) -> Iterator[FlinkRestClient]:
    with flink.access.connect() as rest:
        yield rest


def _new_job_id() -> str:
    return uuid.uuid4().hex


def _wait(
    client: FlinkRestClient, job_id: str, done: Callable[[JobView], bool], seconds: float = 120
) -> JobView:
    return wait_until(
        lambda: client.job(job_id),
        done,
        waited_for=f"job {job_id}",
        deadline_seconds=seconds,
        pace=Pace(0.1, 0.5),
    )


def _run_word_count(client: FlinkRestClient, flink: FlinkPart, output: Path, job_id: str) -> str:
    jar_id = client.upload_jar(JARS / "WordCount.jar")
    licence = flink.image_root / "opt" / "flink" / "LICENSE"
    client.run_jar(
        jar_id,
        job_id=job_id,
        entry_class=WORD_COUNT,
        program_args=["--input", str(licence), "--output", str(output)],
        parallelism=1,
    )
    return jar_id


def _counts_in(output: Path) -> dict[str, int]:
    parts = [part.read_text() for part in output.rglob("*") if part.is_file()]
    lines = "".join(parts).splitlines()
    return {word: int(count) for word, count in (line.split() for line in lines)}


def test_the_cluster_says_its_version_and_slots(client: FlinkRestClient) -> None:
    overview = client.overview()
    assert overview.flink_version == client.config()["flink-version"] == "2.3.0"
    assert (overview.taskmanagers, overview.slots_total) == (1, 2)
    assert len(client.taskmanager_ids()) == 1


def test_a_word_count_runs_to_its_end(
    client: FlinkRestClient, flink: FlinkPart, tmp_path: Path
) -> None:
    job_id = _new_job_id()
    jar_id = _run_word_count(client, flink, tmp_path / "out", job_id)
    client.delete_jar(jar_id)

    job = _wait(client, job_id, lambda job: job.is_terminal)
    assert job.state == "FINISHED"
    assert job.tasks_finished == job.tasks_total > 0
    assert job_id in [listed.job_id for listed in client.jobs()]
    assert client.job(job_id).state == "FINISHED"
    assert client.exceptions(job_id).root_cause is None
    licence = (flink.image_root / "opt" / "flink" / "LICENSE").read_text()
    counted = _counts_in(tmp_path / "out")
    assert counted["license"] == len(re.findall(r"\blicense\b", licence, re.IGNORECASE))
    assert int(client.accumulators(job_id)["total-words"]) == sum(counted.values())
    with pytest.raises(Conflict):
        client.cancel(job_id)


def test_a_job_id_is_taken_only_once(
    client: FlinkRestClient, flink: FlinkPart, tmp_path: Path
) -> None:
    job_id = _new_job_id()
    _run_word_count(client, flink, tmp_path / "first", job_id)
    with pytest.raises(Conflict) as raised:
        _run_word_count(client, flink, tmp_path / "second", job_id)
    assert raised.value.code in (
        "DuplicateApplicationSubmissionException",
        "DuplicateJobSubmissionException",
    )
    _wait(client, job_id, lambda job: job.is_terminal)


def test_an_unknown_job_is_not_found_by_either_call(client: FlinkRestClient) -> None:
    for look in (client.job, client.cancel):
        with pytest.raises(NotFound):
            look(_new_job_id())


def test_a_missing_class_is_told_by_its_last_cause(client: FlinkRestClient) -> None:
    jar_id = client.upload_jar(JARS / "WordCount.jar")
    with pytest.raises(CallFailed, match=r"no\.such\.Main") as raised:
        client.run_jar(jar_id, job_id=_new_job_id(), entry_class="no.such.Main")
    assert not isinstance(raised.value, ServiceUnavailable | InDoubt)
    client.delete_jar(jar_id)


def test_a_dropped_answer_leaves_the_submit_in_doubt_and_the_job_there(
    client: FlinkRestClient, flink: FlinkPart, wire: Wire, tmp_path: Path
) -> None:
    wire.faults.add("flink:RunJar", "drop_after", times=1)
    job_id = _new_job_id()
    with pytest.raises(InDoubt):
        _run_word_count(client, flink, tmp_path / "out", job_id)
    job = _wait(client, job_id, lambda job: job.is_terminal)
    assert job.state == "FINISHED"
    (recorded,) = wire.requests.find("flink", "RunJar")
    assert (recorded.status, recorded.detail) == (200, {"fault": "drop_after"})


def test_faults_are_worded_as_flink_words_errors(client: FlinkRestClient, wire: Wire) -> None:
    wire.faults.add("flink:GetOverview", "error", status=503, message="no leader", times=1)
    with pytest.raises(ServiceUnavailable, match="no leader"):
        client.overview()
    client.overview()
    assert [r.status for r in wire.requests.find("flink", "GetOverview")] == [503, 200]


def test_the_logs_of_both_jvms_are_served(client: FlinkRestClient, flink: FlinkPart) -> None:
    (taskmanager,) = client.taskmanager_ids()
    with flink.access.http() as http:
        log = http.get(f"/taskmanagers/{taskmanager}/log").text
        assert "Successful registration at resource manager" in log
        assert "Starting StandaloneSessionClusterEntrypoint" in http.get("/jobmanager/log").text
        printed = flink.cluster.files.logs / "taskmanager.out"
        with printed.open("a") as out:
            out.write("printed by a task\n")
        assert "printed by a task" in http.get(f"/taskmanagers/{taskmanager}/stdout").text


def test_the_dashboard_is_served_through_the_proxy(flink: FlinkPart) -> None:
    with httpx.Client(base_url=flink.url(), follow_redirects=True) as browser:
        page = browser.get(flink.dashboard_link())
        assert str(page.url) == f"{flink.url()}/", "the link's secret is not kept in the address"
        assert "text/html" in page.headers["content-type"]
        assert "<title>Apache Flink Web Dashboard</title>" in page.text
        script = page.text.split('<script src="')[1].split('"')[0]
        own = {"Sec-Fetch-Site": "same-origin"}
        assert len(browser.get(f"/{script}", headers=own).content) > 100


def test_a_killed_jobmanager_is_away_and_comes_back_at_the_same_address(
    client: FlinkRestClient, flink: FlinkPart
) -> None:
    jar_id = client.upload_jar(JARS / "WordCount.jar")
    before = flink.details()["processes"]["jobmanager"]["pid"]
    flink.fault_commands()["kill-jobmanager"](restart_after_seconds=None)
    with pytest.raises(ServiceUnavailable):
        client.overview()
    assert flink.details()["processes"]["jobmanager"]["alive"] is False

    flink.reset()
    assert client.overview().slots_total == 2
    assert client.jobs() == []
    assert flink.details()["processes"]["jobmanager"]["pid"] != before
    client.delete_jar(jar_id)


def test_a_killed_jobmanager_restarts_by_itself_when_asked_to(
    client: FlinkRestClient, flink: FlinkPart
) -> None:
    flink.fault_commands()["kill-jobmanager"](restart_after_seconds=0.5)

    def is_back() -> bool:
        with suppress(ServiceUnavailable):
            return client.overview().slots_total == 2
        return False

    eventually(is_back)
