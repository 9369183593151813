"""The local Glue's run engine in virtual time, without a socket."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from moto.ec2.models import EC2Backend

from localcloud.aws.glue.connections import Connections
from localcloud.aws.glue.definitions.jobs import Jobs
from localcloud.aws.glue.errors import GlueError
from localcloud.aws.glue.runs.job_run import JobRun
from localcloud.aws.glue.runs.run_engine import PlannedFailure, RunEngine
from localcloud.aws.glue.runs.runs import Runs
from localcloud.aws.glue.runs.scripts import ScriptMissing
from localcloud.aws.glue.settings import GlueSettings
from localcloud.aws.glue.timeline import Timeline
from localcloud.aws.network import Network

WHOLE = {
    "Role": "role",
    "Command": {"Name": "glueetl", "ScriptLocation": "s3://b/k.py"},
    "ExecutionProperty": {"MaxConcurrentRuns": 50},
    "WorkerType": "G.1X",
    "NumberOfWorkers": 2,
}


class Scripts:
    """Scripts that end when the test says so."""

    def __init__(self) -> None:
        self.ended: dict[str, Callable[[int], None]] = {}
        self.signals: list[tuple[str, str]] = []
        self.missing = False

    def can_run(self, run: JobRun) -> bool:
        return run.definition["Command"]["Name"] == "glueetl"

    def start(self, run: JobRun, ended: Callable[[int], None]) -> None:
        if self.missing:
            raise ScriptMissing("b", "k.py")
        self.ended[run.id] = ended

    def interrupt(self, job_run_id: str) -> None:
        self.signals.append(("interrupt", job_run_id))

    def kill(self, job_run_id: str) -> None:
        self.signals.append(("kill", job_run_id))


class Glue:
    """Everything between the API and the processes, with a clock that the test moves."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.settings = GlueSettings(
            start_delay_seconds=10, release_lag_seconds=60, stop_seconds=3, update_seconds=0
        )
        self.timeline = Timeline(lambda: self.time)
        self.ec2 = EC2Backend("us-east-1", "123456789012")
        self.vpc_id = self.ec2.create_vpc("10.1.0.0/16").id
        self.network = Network(self.ec2, threading.RLock())
        self.connections = Connections(self.timeline.now, self.network.subnet_exists)
        self.jobs = Jobs(self.connections, self.timeline, self.settings)
        self.runs = Runs(self.jobs, self.timeline, self.settings)
        self.scripts = Scripts()
        self.engine = self.runs.engine = RunEngine(
            self.timeline,
            self.settings,
            self.connections,
            self.network,
            self.scripts,
            self.runs.add,
        )

    def connection(self, name: str, cidr: str, zone: str = "us-east-1a") -> str:
        subnet = self.ec2.create_subnet(self.vpc_id, cidr, availability_zone=zone)
        requirements = {"SubnetId": subnet.id, "SecurityGroupIdList": []}
        definition = {"Name": name, "PhysicalConnectionRequirements": requirements}
        self.connections.create({"ConnectionInput": definition})
        return str(subnet.id)

    def job(self, *connection_names: str, **more: Any) -> None:
        definition = {**WHOLE, **more}
        if connection_names:
            definition["Connections"] = {"Connections": list(connection_names)}
        self.jobs.create({"Name": "job", **definition})

    def start(self, **options: Any) -> str:
        return str(self.runs.start({"JobName": "job", **options})["JobRunId"])

    def run(self, job_run_id: str) -> dict[str, Any]:
        run: dict[str, Any] = self.runs.get({"JobName": "job", "RunId": job_run_id})["JobRun"]
        return run

    def state(self, job_run_id: str) -> str:
        return str(self.run(job_run_id)["JobRunState"])

    def forward(self, seconds: float) -> None:
        """Let time pass, stopping at everything that is due."""
        end = self.time + seconds
        while (wait := self.timeline.run_due()) is not None and self.time + wait <= end:
            self.time += wait
        self.time = end
        self.timeline.run_due()


@pytest.fixture
def glue() -> Glue:
    return Glue()


def test_a_run_from_submission_to_the_return_of_its_addresses(glue: Glue) -> None:
    """STARTING without addresses, RUNNING with them, SUCCEEDED with them, then without."""
    glue.settings.run_seconds = 30
    subnet_id = glue.connection("a", "10.1.0.0/24")
    glue.job("a")
    job_run_id = glue.start()
    glue.forward(9)
    assert (glue.state(job_run_id), glue.network.free_addresses(subnet_id)) == ("STARTING", 251)
    glue.forward(1)
    assert (glue.state(job_run_id), glue.network.free_addresses(subnet_id)) == ("RUNNING", 248)
    glue.forward(5)
    glue.scripts.ended[job_run_id](0)
    glue.forward(24)
    assert glue.state(job_run_id) == "RUNNING"
    glue.forward(1)
    run = glue.run(job_run_id)
    assert run["JobRunState"] == "SUCCEEDED"
    assert (run["StartedOn"], run["CompletedOn"], run["ExecutionTime"]) == (1000, 1040, 30)
    glue.forward(59)
    assert glue.network.free_addresses(subnet_id) == 248
    glue.forward(1)
    assert glue.network.free_addresses(subnet_id) == 251


def test_a_script_that_outlasts_the_least_time_ends_the_run(glue: Glue) -> None:
    """run_seconds is a floor, not a length."""
    glue.settings.run_seconds = 30
    glue.job()
    job_run_id = glue.start()
    glue.forward(100)
    assert glue.state(job_run_id) == "RUNNING"
    glue.scripts.ended[job_run_id](0)
    glue.forward(0)
    assert glue.run(job_run_id)["ExecutionTime"] == 90


def test_a_failing_script_ends_the_run_at_once(glue: Glue) -> None:
    """The exit code is in the text; signals count as the shell counts them."""
    glue.settings.run_seconds = 30
    glue.job()
    first, second = glue.start(), glue.start()
    glue.forward(10)
    glue.scripts.ended[first](139)
    glue.scripts.ended[second](-9)
    assert glue.run(first)["ErrorMessage"] == "Command failed with exit code 139"
    assert glue.run(second)["ErrorMessage"] == "Command failed with exit code 137"


def test_a_run_times_out_after_the_minutes_of_the_job(glue: Glue) -> None:
    """Counted from RUNNING; the script is killed; a later end of it changes nothing."""
    glue.job(Timeout=2)
    job_run_id = glue.start()
    glue.forward(129)
    assert glue.state(job_run_id) == "RUNNING"
    glue.forward(1)
    assert glue.state(job_run_id) == "TIMEOUT"
    assert ("kill", job_run_id) in glue.scripts.signals
    glue.scripts.ended[job_run_id](0)
    glue.forward(10)
    assert glue.state(job_run_id) == "TIMEOUT"


def test_a_stop_asks_first_and_kills_later(glue: Glue) -> None:
    """STOPPING for a while; a script that ends meanwhile does not make it a success."""
    glue.job()
    job_run_id = glue.start()
    glue.forward(10)
    glue.runs.batch_stop({"JobName": "job", "JobRunIds": [job_run_id]})
    assert glue.scripts.signals == [("interrupt", job_run_id)]
    glue.scripts.ended[job_run_id](0)
    glue.forward(2)
    assert glue.state(job_run_id) == "STOPPING"
    answer = glue.runs.batch_stop({"JobName": "job", "JobRunIds": [job_run_id]})
    assert len(answer["SuccessfulSubmissions"]) == 1
    glue.forward(1)
    assert glue.state(job_run_id) == "STOPPED"
    assert glue.scripts.signals[-1] == ("kill", job_run_id)


def test_a_run_stopped_while_it_starts_never_takes_addresses(glue: Glue) -> None:
    """Its place in the start queue is void."""
    subnet_id = glue.connection("a", "10.1.0.0/24")
    glue.job("a")
    job_run_id = glue.start()
    glue.runs.batch_stop({"JobName": "job", "JobRunIds": [job_run_id]})
    glue.forward(30)
    assert glue.state(job_run_id) == "STOPPED"
    assert not glue.scripts.ended
    assert glue.network.free_addresses(subnet_id) == 251


def test_a_slot_is_free_again_only_after_its_lag(glue: Glue) -> None:
    """5 to 10 seconds in the real service."""
    glue.settings.slot_lag_seconds = 7
    glue.settings.run_scripts = False
    glue.job(ExecutionProperty={"MaxConcurrentRuns": 1})
    glue.start()
    glue.forward(16)
    with pytest.raises(GlueError, match="ConcurrentRunsExceededException"):
        glue.start()
    glue.forward(1)
    glue.start()


def test_the_list_shows_a_run_late_and_its_id_at_once(glue: Glue) -> None:
    """Whoever looks a run up in the list just after StartJobRun may not find it yet."""
    glue.job()
    glue.settings.list_lag_seconds = 5

    def listed(**options: Any) -> list[str]:
        answer = glue.runs.get_all({"JobName": "job", **options})
        return [run["Id"] for run in answer["JobRuns"]]

    first = glue.start()
    assert listed() == []
    assert glue.state(first) == "STARTING"
    glue.forward(4)
    second = glue.start()
    assert listed() == []
    glue.forward(1)
    assert listed() == listed(MaxResults=1) == [first]
    glue.forward(4)
    assert listed() == [second, first]


def test_queued_runs_start_one_after_the_other(glue: Glue) -> None:
    """In the order of submission, never two in one slot."""
    glue.settings.run_scripts = False
    glue.settings.run_seconds = 20
    glue.job(ExecutionProperty={"MaxConcurrentRuns": 1}, JobRunQueuingEnabled=True)
    runs = [glue.start() for _ in range(3)]
    seen = []
    for _ in range(110):
        glue.forward(1)
        seen.append([glue.state(each) for each in runs])
        assert sum(state in ("STARTING", "RUNNING") for state in seen[-1]) <= 1
    assert ["RUNNING", "WAITING", "WAITING"] in seen
    assert ["SUCCEEDED", "RUNNING", "WAITING"] in seen
    assert seen[-1] == ["SUCCEEDED"] * 3


def test_a_waiting_run_can_be_stopped(glue: Glue) -> None:
    """It has no nodes to shut down."""
    glue.job(ExecutionProperty={"MaxConcurrentRuns": 1}, JobRunQueuingEnabled=True)
    glue.start()
    waiting = glue.start()
    glue.runs.batch_stop({"JobName": "job", "JobRunIds": [waiting]})
    assert glue.state(waiting) == "STOPPED"
    glue.forward(100)
    assert glue.state(waiting) == "STOPPED"


def test_a_retry_leaves_a_zone_that_is_down(glue: Glue) -> None:
    """Glue's own retry stays on its connection, unless the zone is gone."""
    glue.settings.run_scripts = False
    glue.settings.run_seconds = 100
    glue.connection("a", "10.1.0.0/24", "us-east-1a")
    glue.connection("b", "10.1.2.0/24", "us-east-1b")
    glue.job("a", "b", MaxRetries=1)
    job_run_id = glue.start()
    glue.forward(20)
    glue.network.take_zone_down("us-east-1a")
    glue.engine.fail_runs_in("us-east-1a")
    glue.forward(20)
    assert glue.state(job_run_id) == "FAILED"
    retried, first = glue.runs.placements("job")
    assert (retried["connection_name"], first["connection_name"]) == ("b", "a")
    assert retried["state"] == "RUNNING"


def test_a_zone_that_goes_down_while_a_run_starts(glue: Glue) -> None:
    """Chosen at submission, lost before it had addresses."""
    glue.connection("a", "10.1.0.0/24")
    glue.job("a")
    job_run_id = glue.start()
    glue.network.take_zone_down("us-east-1a")
    glue.forward(10)
    assert glue.run(job_run_id)["ErrorMessage"] == "Resource unavailable"


def test_a_missing_script_gives_its_addresses_back(glue: Glue) -> None:
    """LAUNCH ERROR after the nodes are there."""
    subnet_id = glue.connection("a", "10.1.0.0/24")
    glue.job("a")
    glue.scripts.missing = True
    job_run_id = glue.start()
    glue.forward(10)
    assert glue.run(job_run_id)["ErrorMessage"].startswith("LAUNCH ERROR")
    glue.forward(60)
    assert glue.network.free_addresses(subnet_id) == 251


def test_planned_failures_are_used_up_in_order(glue: Glue) -> None:
    """Each run takes one; runs of other jobs do not."""
    glue.job()
    glue.engine.plan_failure(PlannedFailure("other", 1, "no", "FAILED", 0))
    glue.engine.plan_failure(PlannedFailure("job", 1, "first", "FAILED", 0))
    glue.engine.plan_failure(PlannedFailure("j*", 1, "second", "ERROR", 5))
    runs = [glue.start() for _ in range(3)]
    glue.forward(10)
    assert [glue.state(each) for each in runs] == ["FAILED", "RUNNING", "RUNNING"]
    glue.forward(5)
    assert [glue.state(each) for each in runs] == ["FAILED", "ERROR", "RUNNING"]
    assert glue.run(runs[1])["ErrorMessage"] == "second"


def test_deleting_a_job_stops_its_runs(glue: Glue) -> None:
    """Nothing of it is left, also when a job of the same name comes back."""
    subnet_id = glue.connection("a", "10.1.0.0/24")
    glue.job("a")
    glue.start()
    glue.forward(10)
    glue.runs.forget("job")
    glue.jobs.delete({"JobName": "job"})
    glue.forward(63)
    assert glue.network.free_addresses(subnet_id) == 251
    glue.job("a")
    assert glue.runs.get_all({"JobName": "job"}) == {"JobRuns": []}


@pytest.mark.parametrize(
    ("overrides", "shown"),
    [
        ({}, ("G.1X", 2, 2.0)),
        ({"NumberOfWorkers": 8}, ("G.1X", 8, 8.0)),
        ({"WorkerType": "G.4X"}, ("G.4X", 2, 8.0)),
    ],
)
def test_a_run_overrides_capacity(
    glue: Glue, overrides: dict[str, Any], shown: tuple[Any, ...]
) -> None:
    """One of the two worker settings keeps the other."""
    glue.job()
    run = glue.run(glue.start(**overrides))
    assert (run.get("WorkerType"), run.get("NumberOfWorkers"), run["MaxCapacity"]) == shown


def test_a_runs_max_capacity_replaces_the_workers_of_an_old_job(glue: Glue) -> None:
    """Glue 1.0 and older take either."""
    glue.job(GlueVersion="1.0")
    run = glue.run(glue.start(MaxCapacity=3.0))
    assert (run.get("WorkerType"), run.get("NumberOfWorkers"), run["MaxCapacity"]) == (
        None,
        None,
        3.0,
    )


@pytest.mark.parametrize(
    ("definition", "nodes"),
    [
        ({"NumberOfWorkers": 10, "WorkerType": "G.2X"}, 11),
        ({"NumberOfWorkers": None, "WorkerType": None, "GlueVersion": "1.0", "MaxCapacity": 5}, 6),
        ({"NumberOfWorkers": None, "WorkerType": None, "Command": {"Name": "pythonshell"}}, 1),
    ],
)
def test_how_many_nodes_a_run_takes(glue: Glue, definition: dict[str, Any], nodes: int) -> None:
    """One per worker or unit of capacity and one beside; a Python shell job is one process."""
    kept = {key: value for key, value in {**WHOLE, **definition}.items() if value is not None}
    glue.jobs.create({"Name": "job", **kept})
    glue.start()
    assert glue.runs.placements("job")[0]["nodes_wanted"] == nodes


def test_dpu_seconds_are_shown_where_the_service_shows_them(glue: Glue) -> None:
    """Flexible execution and auto scaling only; a run that is short of nodes costs less."""
    glue.settings.run_scripts = False
    glue.settings.run_seconds = 10
    glue.job()
    plain = glue.start()
    flex = glue.start(ExecutionClass="FLEX")
    scaled = glue.start(Arguments={"--enable-auto-scaling": "true"})
    glue.forward(30)
    assert "DPUSeconds" not in glue.run(plain)
    assert glue.run(flex)["DPUSeconds"] == glue.run(scaled)["DPUSeconds"] == 20.0


def test_a_run_that_is_short_of_nodes_takes_longer_in_proportion(glue: Glue) -> None:
    """Half of the nodes, twice the time, the same work done."""
    glue.settings.run_scripts = False
    glue.settings.run_seconds = 10
    subnet_id = glue.connection("a", "10.1.0.0/24")
    glue.job("a", NumberOfWorkers=3, ExecutionClass="FLEX")
    whole = glue.start()
    glue.forward(100)
    glue.network.fill(subnet_id, leave=2)
    short = glue.start()
    glue.forward(100)
    assert glue.run(whole)["ExecutionTime"] == 10
    assert glue.run(short)["ExecutionTime"] == 20
    assert glue.run(short)["DPUSeconds"] == glue.run(whole)["DPUSeconds"] == 30.0


def test_every_run_state_shown_is_one_of_the_model(glue: Glue) -> None:
    """Live states are told from final ones by the model's own names."""
    from localcloud.aws.glue.definitions.validation import glue_model
    from localcloud.aws.glue.runs.job_run import LIVE_STATES

    assert set(LIVE_STATES) < set(glue_model().shape_for("JobRunState").enum)


def test_an_action_that_fails_does_not_stop_the_others(
    glue: Glue, caplog: pytest.LogCaptureFixture
) -> None:
    """Its trace is logged."""
    done: list[str] = []

    def broken() -> None:
        raise RuntimeError("broken action")

    glue.timeline.after(1, broken)
    glue.timeline.after(1, lambda: done.append("next"))
    glue.forward(1)
    assert done == ["next"]
    assert "broken action" in caplog.text
