"""The flows of the eleven actions inside a Prefect server, on a pretended JobManager."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    ArtifactFilterKey,
)
from prefect.client.schemas.objects import FlowRun, State
from prefect.client.schemas.sorting import ArtifactSort
from prefect.states import Cancelling
from pydantic import SecretStr

from flinkglue.blocks.flink import FlinkRestCluster, FlinkSignIn
from flinkglue.errors import Conflict, InvalidInput, JobFailed, PermissionDenied
from flinkglue.lifecycle.execute import RolledBack
from flinkglue.lifecycle.journal.journal import Journal
from flinkglue.lifecycle.models import Action
from flinkglue.prefect.pages.keys import Kind
from flinkglue.prefect.store.variable_journal import variable_store
from flows.flink_job_action import flink_job_action
from flows.flink_savepoints import flink_savepoints
from flows.flink_watch import flink_watch
from tests.harness.flink.served_flink import ServedJobManager
from tests.harness.flow_logs import logs_of
from tests.harness.task_runs import states, task_runs
from tests.unit.lifecycle.fake_flink_jobs import DIRECTORY, Behaviour
from tests.waiting import eventually

TOKEN = "token-that-nobody-may-see-d41d8cd9"
QUICK = {"stable_seconds": 0.1, "deadline_minutes": 2}
pytestmark = pytest.mark.usefixtures("prefect_files")


@pytest.fixture
def cluster(flink: ServedJobManager) -> FlinkRestCluster:
    """What a person fills in; the gateway wants a token."""
    flink.authorization = f"Bearer {TOKEN}"
    block = FlinkRestCluster(url=flink.url, sign_in=FlinkSignIn.BEARER, token=SecretStr(TOKEN))
    block.save("flink", overwrite=True)
    return block


@pytest.fixture
def job_name() -> str:
    return f"orders {uuid4()}"


class Jars:
    """Jars that do what their names say."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __call__(self, behaviour: Behaviour = Behaviour.GOOD) -> str:
        path = self._directory / f"{behaviour.name.lower()}.jar"
        path.write_text(behaviour)
        return str(path)


@pytest.fixture
def jar(tmp_path: Path) -> Jars:
    return Jars(tmp_path)


def act(action: Action, job_name: str, **parameters: Any) -> State[Any]:
    """Run the flow as a person does, with the block by its name."""
    given = {**QUICK, "cluster": "flink-rest-cluster/flink", **parameters}
    return flink_job_action(action, job_name, **given, return_state=True)


def running(job_name: str, jar: Jars) -> str:
    """Have a job run, and take its first checkpoint."""
    state = act(Action.NEW, job_name, jar=jar())
    job_id: str = state.result()["job_id"]
    return job_id


def artifacts_of(state: State[Any]) -> dict[str, Any]:
    """The newest data of a flow run's artifacts by what they show."""
    wanted = ArtifactFilter(
        flow_run_id=ArtifactFilterFlowRunId(any_=[state.state_details.flow_run_id])
    )
    with get_client(sync_client=True) as prefect:
        found = prefect.read_artifacts(artifact_filter=wanted)
    return {Kind.of(a.key): a.data for a in sorted(found, key=lambda a: a.created) if a.key}


def row_of(job_name: str) -> str:
    """The job's row of the newest page of all Flink jobs."""
    with get_client(sync_client=True) as prefect:
        found = prefect.read_artifacts(
            artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=["flink-jobs"])),
            sort=ArtifactSort.CREATED_DESC,
            limit=1,
        )
    (row,) = [line for line in str(found[0].data).splitlines() if f"[{job_name}]" in line]
    return row


def flow_run_of(state: State[Any]) -> FlowRun:
    with get_client(sync_client=True) as prefect:
        return prefect.read_flow_run(state.state_details.flow_run_id)


def test_a_job_is_started_and_shown(
    cluster: FlinkRestCluster, flink: ServedJobManager, jar: Jars, job_name: str
) -> None:
    """Its id, state, link and story are on the page."""
    state = act(Action.NEW, job_name, jar=jar(), args=["--topic", "orders"], parallelism=2)
    (job,) = flink.live_jobs()
    shown = artifacts_of(state)
    assert state.result()["job_id"] == job.job_id
    assert state.message == f"NEW of {job_name} done: RUNNING as {job.job_id}"
    assert flow_run_of(state).name == f"NEW {job_name} on flink"
    assert job.body["programArgsList"] == ["--topic", "orders"]
    assert f"{flink.url}/#/job/running/{job.job_id}" in shown["flink-action"]
    assert "**done**" in shown["flink-action"]
    assert f"1. job {job.job_id} runs: RUNNING" in shown["flink-action"]
    row, program = [line for line in shown["flink-jobs"].splitlines() if job_name in line]
    assert row.endswith(" on flink | RUNNING | – | NEW done, 1 s ago | – |")
    assert program.startswith(f"| {job_name} on flink | good.jar | ")


def test_an_update_shows_first_what_changes(
    cluster: FlinkRestCluster, flink: ServedJobManager, jar: Jars, job_name: str
) -> None:
    """Jar, arguments, parallelism and settings; then the job goes on from its state."""
    first = running(job_name, jar)
    state = act(
        Action.UPDATE,
        job_name,
        jar=jar(Behaviour.OTHER_GOOD),
        args=["--topic", "new orders"],
        parallelism=3,
        flink_configuration={"restart-strategy.type": "none"},
    )
    changes = json.loads(artifacts_of(state)["flink-changes"])
    assert [change["setting"] for change in changes] == [
        "jar",
        "args",
        "parallelism",
        "flink_configuration[restart-strategy.type]",
    ]
    assert (changes[1]["before"], changes[1]["after"]) == ("(unset)", "--topic 'new orders'")
    result = state.result()
    assert result["previous_job_id"] == first
    (job,) = flink.live_jobs()
    assert job.restored == result["savepoint_path"]


def test_a_bad_update_tells_both_stories(
    cluster: FlinkRestCluster, flink: ServedJobManager, jar: Jars, job_name: str
) -> None:
    """The run fails, the old job runs again; a retry of the run tries anew."""
    running(job_name, jar)
    state = act(Action.UPDATE, job_name, jar=jar(Behaviour.CRASH_LOOP))
    with pytest.raises(RolledBack, match=r"crash loop.*The old job runs again from"):
        state.result()
    assert "failed, the old job runs again" in artifacts_of(state)["flink-action"]
    assert str(state.message).startswith(f"UPDATE of {job_name} was rolled back: the new job")
    assert event("rolled-back", job_name)["payload"]["action"] == "UPDATE"
    found = states(task_runs(state.state_details.flow_run_id, f"UPDATE {job_name} on flink"))
    assert found == {
        f"UPDATE {job_name} on flink": "Failed",
        f"check the jar of {job_name}": "Completed",
        f"stop {job_name} with a savepoint": "Completed",
        f"start {job_name}": "Completed",
        f"verify {job_name}": "Failed",
        f"roll back {job_name}": "Completed",
        f"verify the old {job_name}": "Completed",
    }
    (job,) = flink.live_jobs()
    assert job.behaviour is Behaviour.GOOD
    with variable_store(cluster.journal_name) as store:
        requested_by = f"{state.state_details.flow_run_id}:UPDATE"
        assert Journal(store).entry(f"{requested_by}:1") is not None
        assert Journal(store).entry(f"{requested_by}:2") is None


def test_what_is_refused_changes_nothing(
    cluster: FlinkRestCluster, flink: ServedJobManager, jar: Jars, job_name: str
) -> None:
    """A second NEW, and a last-state update without a retained checkpoint."""
    job_id = running(job_name, jar)
    state = act(Action.NEW, job_name, jar=jar())
    with pytest.raises(Conflict, match=f"job {job_id} has this name and is RUNNING"):
        state.result()
    flink.retain = False
    with pytest.raises(Conflict, match="no retained state"):
        act(Action.LAST_STATE_UPDATE, f"{job_name} 2", jar=jar()).result()
    assert [job.job_id for job in flink.live_jobs()] == [job_id]


@pytest.mark.parametrize(
    ("field", "action", "parameters"),
    [
        ("cluster", Action.STOP, {"cluster": "flink-rest-cluster/nowhere"}),
        ("cluster", Action.STOP, {"cluster": "kubernetes/flink"}),
        ("drain", Action.CANCEL, {"drain": True}),
        ("stable_seconds", Action.NEW, {"stable_seconds": 10, "ready_within_seconds": 5}),
        ("jar", Action.NEW, {"jar": "s3://jars/a.jar"}),  # the block holds no AWS credentials
    ],
)
def test_bad_input_is_refused_before_any_call(
    cluster: FlinkRestCluster,
    flink: ServedJobManager,
    job_name: str,
    field: str,
    action: Action,
    parameters: dict[str, Any],
) -> None:
    """With the field's name and what is allowed."""
    state = act(action, job_name, **parameters)
    with pytest.raises(InvalidInput) as refused:
        state.result()
    assert refused.value.field == field
    assert flink.requests == []


def test_savepoints_are_listed(
    cluster: FlinkRestCluster, flink: ServedJobManager, jar: Jars, job_name: str
) -> None:
    """Newest first, with what they were taken of."""
    job_id = running(job_name, jar)
    paths = [act(Action.SAVEPOINT, job_name).result()["savepoint_path"] for _ in range(2)]
    state = act(Action.LIST_SAVEPOINT, job_name)
    rows = json.loads(artifacts_of(state)["flink-savepoints"])
    assert [row["path"] for row in rows] == paths[::-1]
    assert {row["job id"] for row in rows} == {job_id}
    assert {row["stored"] for row in rows} == {"not checked"}
    page = artifacts_of(state)["flink-action"]
    assert f"1. {DIRECTORY}/savepoints cannot be listed from here" in page
    assert [row["path"] for row in state.result()["savepoints"]] == paths[::-1]


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"cluster": "flink-rest-cluster/gone"}, "cluster: 'gone' is not accepted"),
        ({"on_cancel": "forget"}, "on_cancel"),
    ],
)
def test_a_hook_that_cannot_tell_says_so(
    cluster: FlinkRestCluster, jar: Jars, job_name: str, parameters: dict[str, str], why: str
) -> None:
    """The parameters may be those of an older deployment, and a block may be gone."""
    state = act(Action.NEW, job_name, jar=jar())
    flow_run = flow_run_of(state)
    flow_run.parameters = {"action": "NEW", "job_name": job_name, **parameters}
    for hook in (*flink_job_action.on_cancellation_hooks, *flink_job_action.on_crashed_hooks):
        hook(flink_job_action, flow_run, Cancelling())
    told = [line for line in logs_of(flow_run.id) if "could not be settled" in line]
    assert len(told) == 2
    assert why in told[0]


@pytest.mark.parametrize("on_cancel", ["leave", "stop_with_savepoint"])
def test_a_cancelled_run_ends_its_job_as_asked(
    cluster: FlinkRestCluster, flink: ServedJobManager, jar: Jars, job_name: str, on_cancel: str
) -> None:
    """The hook knows nothing but the flow run, whose parameters lack those left as they are."""
    running(job_name, jar)
    state = act(Action.UPDATE, job_name, jar=jar(Behaviour.OTHER_GOOD), deadline_minutes=0.001)
    assert state.is_failed()
    assert "**has not ended**" in artifacts_of(state)["flink-action"]
    assert "UPDATE has not ended" in row_of(job_name)
    flow_run = flow_run_of(state)
    reference = {"$ref": {"block_document_slug": "flink-rest-cluster/flink"}}
    flow_run.parameters = {
        "action": "UPDATE",
        "job_name": job_name,
        "jar": jar(Behaviour.OTHER_GOOD),
        "cluster": reference,
        "on_cancel": on_cancel,
    }
    for hook in flink_job_action.on_cancellation_hooks:
        hook(flink_job_action, flow_run, Cancelling())
    assert "**the flow run was cancelled**" in artifacts_of(state)["flink-action"]
    assert "UPDATE cancelled" in row_of(job_name)
    with variable_store(cluster.journal_name) as store:
        assert Journal(store).owner(job_name) is None
        savepoints = Journal(store).savepoints(job_name)
    assert bool(flink.live_jobs()) is (on_cancel == "leave" and not savepoints)
    if on_cancel == "stop_with_savepoint":
        assert savepoints


def test_old_savepoints_are_disposed_of(
    cluster: FlinkRestCluster, flink: ServedJobManager, jar: Jars, job_name: str
) -> None:
    """A job that is not there does not keep the others from it, and the run fails for it."""
    running(job_name, jar)
    cluster_name = "flink-rest-cluster/flink"
    first = flink_savepoints([job_name], cluster_name, keep=1)[job_name]
    state = flink_savepoints([f"{job_name} 2", job_name], cluster_name, keep=1, return_state=True)
    with pytest.raises(JobFailed, match=r"1 of 2 jobs failed: .* 2: "):
        state.result()
    lost, done = json.loads(artifacts_of(state)["flink-savepoint-report"])
    assert "no such job runs" in lost["trouble"]
    assert done["disposed of"] == first["savepoint"]
    assert done["new savepoint"] in flink.stored
    assert first["savepoint"] not in flink.stored


def test_a_savepoint_that_a_person_names_stays_for_good(
    cluster: FlinkRestCluster, flink: ServedJobManager, jar: Jars, job_name: str
) -> None:
    """Whatever the limits say; the others go."""
    running(job_name, jar)
    named = act(Action.SAVEPOINT, job_name).result()["savepoint_path"]
    other = act(Action.SAVEPOINT, job_name).result()["savepoint_path"]
    flink_savepoints([job_name], "flink-rest-cluster/flink", keep=1, kept_paths=[named])
    assert named in flink.stored
    assert other not in flink.stored


def test_a_watch_brings_a_failed_job_back_but_not_for_ever(
    cluster: FlinkRestCluster, flink: ServedJobManager, jar: Jars, job_name: str
) -> None:
    """From its newest retained state; the limit is told in the failure."""
    running(job_name, jar)
    asked = {
        "cluster": "flink-rest-cluster/flink",
        "watch_seconds": 0,
        "relaunch": "when_down",
        "stable_seconds": 0.1,
    }
    assert flink_watch([job_name], **asked) == {job_name: "healthy"}
    for relaunched in (True, False):
        (job,) = flink.live_jobs()
        flink.end(job, "FAILED")
        state = flink_watch([job_name], **asked, most_relaunches=1, return_state=True)
        if relaunched:
            assert state.result() == {job_name: "re-launched"}
            (again,) = flink.live_jobs()
            assert again.restored == job.checkpoints[-1][1]
    with pytest.raises(JobFailed, match="not re-launched: it was 1 time within 6 h"):
        state.result()
    assert flink.live_jobs() == []


def test_a_watch_shows_how_far_a_job_is_behind_its_sources(
    cluster: FlinkRestCluster, flink: ServedJobManager, jar: Jars, job_name: str
) -> None:
    """On its own page, and on the page of all jobs, where a chart of several watches grows."""
    running(job_name, jar)
    for records in (400, 1200):
        flink.source_metrics = {
            "Source__orders.pendingRecords": {"max": records, "sum": records},
            "Source__orders.currentEmitEventTimeLag": {"max": 90_000, "sum": 90_000},
        }
        state = flink_watch(
            [job_name], "flink-rest-cluster/flink", watch_seconds=0, return_state=True
        )
        (row,) = json.loads(artifacts_of(state)["flink-health"])
        assert row["lag"] == f"{records:,} records pending, event time lag 2 min"
    page = str(artifacts_of(state)["flink-jobs"])
    (lag,) = [line for line in page.splitlines() if job_name in line and "▁█" in line]
    assert lag.endswith("| ▁█ 1,200 | ▁▁ 2 min |")


def test_a_watch_leaves_jobs_alone_that_were_ended_on_purpose(
    cluster: FlinkRestCluster, flink: ServedJobManager, jar: Jars, job_name: str
) -> None:
    """Also when Flink has forgotten them."""
    running(job_name, jar)
    act(Action.CANCEL, job_name).result()
    flink.jobs.clear()
    asked = {"cluster": "flink-rest-cluster/flink", "watch_seconds": 0, "relaunch": "when_down"}
    assert flink_watch([job_name], **asked) == {job_name: "not judged"}


def test_a_watch_does_not_run_a_finished_job_again(
    cluster: FlinkRestCluster, flink: ServedJobManager, jar: Jars, job_name: str
) -> None:
    """Also when Flink has forgotten how it ended."""
    running(job_name, jar)
    (job,) = flink.live_jobs()
    flink.end(job, "FINISHED")
    asked = {"cluster": "flink-rest-cluster/flink", "watch_seconds": 0, "relaunch": "when_down"}
    assert flink_watch([job_name], **asked) == {job_name: "finished"}
    flink.jobs.clear()
    assert flink_watch([job_name], **asked) == {job_name: "finished"}
    assert flink.live_jobs() == []


def test_a_watch_raises_events(
    cluster: FlinkRestCluster, flink: ServedJobManager, job_name: str
) -> None:
    """That an automation can act on."""
    state = flink_watch([job_name], "flink-rest-cluster/flink", watch_seconds=0, return_state=True)
    assert state.is_failed()
    assert "no longer knows the job" in event("degraded", job_name)["payload"]["reason"]


def event(condition: str, job_name: str) -> dict[str, Any]:
    """The event about a job, when the server has it."""
    wanted = {
        "event": {"name": [f"flink-job.{condition}"]},
        "resource": {"id": [f"flink-job.{job_name}"]},
    }

    def found() -> list[dict[str, Any]]:
        with get_client(sync_client=True) as prefect:
            answer = prefect.request("POST", "/events/filter", json={"filter": wanted})  # type: ignore[arg-type]
        events: list[dict[str, Any]] = answer.json()["events"]
        return events

    return eventually(found)[0]


def test_a_watch_that_can_read_nothing_of_the_cluster_raises_an_event_and_shows_it(
    cluster: FlinkRestCluster, flink: ServedJobManager, jar: Jars, job_name: str
) -> None:
    running(job_name, jar)
    flink.refuses = {"/overview": 403}
    state = flink_watch([job_name], "flink-rest-cluster/flink", watch_seconds=0, return_state=True)
    with pytest.raises(PermissionDenied) as failure:
        state.result()
    assert "[PermissionDenied]" in str(state.message)
    assert event("not-observed", job_name)["payload"]["reason"] == str(failure.value)
    assert "| RUNNING | not observed |" in row_of(job_name)
    (row,) = json.loads(artifacts_of(state)["flink-health"])
    assert (row["condition"], row["job"]) == ("not observed", job_name)


def test_of_jobs_that_cannot_be_read_each_shows_its_own_fault(
    cluster: FlinkRestCluster, flink: ServedJobManager, jar: Jars, job_name: str
) -> None:
    """In its row, in its event and in the message of the flow run."""
    statuses = {job_name: 403, f"{job_name}-2": 401}
    for name, status in statuses.items():
        flink.refuses[f"/jobs/{running(name, jar)}"] = status
    state = flink_watch(
        list(statuses), "flink-rest-cluster/flink", watch_seconds=0, return_state=True
    )
    rows = json.loads(artifacts_of(state)["flink-health"])
    for row, (name, status) in zip(rows, statuses.items(), strict=True):
        assert (row["job"], row["condition"]) == (name, "not observed")
        assert f"HTTP {status}" in row["why"]
        assert "| RUNNING | not observed |" in row_of(name)
        assert event("not-observed", name)["payload"]["reason"] == row["why"]
        assert f"{name}: {row['why']}" in str(state.message)


def test_no_secret_is_written_by_prefect(
    cluster: FlinkRestCluster,
    flink: ServedJobManager,
    jar: Jars,
    job_name: str,
    prefect_files: list[Path],
) -> None:
    """Not in results, logs, artifacts, or the journal."""
    running(job_name, jar)
    act(Action.LIST_SAVEPOINT, job_name, cluster=cluster)
    flink.authorization = "another"
    state = act(Action.STOP, job_name)
    assert "HTTP 401" in state.message
    written = [path for root in prefect_files for path in root.rglob("*") if path.is_file()]
    assert written
    assert [path for path in written if TOKEN.encode() in path.read_bytes()] == []
