"""Flow runs killed at random from selection to the end, while AWS and the Prefect server fail.

A fifth of all AWS calls goes wrong, and some calls of each process to the Prefect server, each call
in turn. GLUE_KILLS says how many processes are killed; GLUE_SEED repeats the kills and the plans.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL
from prefect.states import Scheduled

from flinkglue.blocks.glue_job_definition import GlueJobDefinition
from flinkglue.glue.api.job_update import connections_of
from flinkglue.glue.coordination.claims import Claims
from flinkglue.glue.coordination.lock import job_lock_name, placement_lock_name
from flinkglue.glue.coordination.original_order import OriginalOrders, original_order_key
from flinkglue.glue.models import RUN_KEY_ARGUMENT
from flinkglue.prefect.store.server_records import server_records
from flinkglue.prefect.store.variable_locks import VariableLocks
from flows.glue_vpc_failover import glue_vpc_failover
from localcloud.aws.glue.settings import GlueSettings
from localcloud.web.faults import FaultBook
from localcloud.web.wire import Wire
from tests.contract.aws.aws_cloud import QUICK, AwsCloud
from tests.harness.conftest import LEASE_SECONDS, save_aws_block
from tests.harness.glue_deaths.glue_disturbances import Disturbances, failing_server
from tests.harness.glue_deaths.glue_killing import Killer
from tests.waiting import eventually

KILLS = int(os.environ.get("GLUE_KILLS", "6"))
LIST_LAG_SECONDS = 2.0  # longer than a killed process takes to be there again
ORIGINAL = {"job": ("c", "a"), "orders": ("c", "a")}
SCRIPT = "import time; time.sleep(0.5); print('done')"
ENDLESS = "import time; time.sleep(3600)"


@dataclass(frozen=True)
class Plan:
    """What happens to a flow run, and how it must end.

    Args:
        failure: The text with which its first Glue run fails; empty: it succeeds.
        retried: Whether a person retries the flow run after it failed.
        attempts: How many Glue runs there must be in the end.
        state: How the flow run must end.
        job_name: The job that it runs.
        given: Parameters beside those that all have.
        may_not_start: Whether its deadline may pass before there is a Glue run.
    """

    failure: str
    retried: bool
    attempts: int
    state: str
    job_name: str = "job"
    given: Mapping[str, Any] = field(default_factory=dict)
    may_not_start: bool = False


PLANS = (
    Plan("", False, 1, "Completed"),
    Plan("Number of IP addresses on subnet is 0", False, 2, "Completed"),
    Plan("Resource unavailable", False, 2, "Completed"),
    Plan("Exceeded maximum concurrent compute capacity", False, 2, "Completed"),
    Plan("Command failed with exit code 1", False, 1, "Failed"),
    Plan("Command failed with exit code 1", True, 2, "Completed"),
    Plan("", False, 1, "Completed", given={"wait_for_end": False}),
    Plan(
        "",
        False,
        1,
        "Failed",
        job_name="endless",
        given={"when_deadline_passes": "stop", "deadline_minutes": 0.2},
        may_not_start=True,
    ),
    Plan("", False, 1, "Completed", job_name="orders", given={"job_definition": "orders"}),
    Plan("", False, 1, "Completed", job_name="no-connections", given={"connection_names": None}),
)
SHARES = (4, 2, 1, 2, 2, 2, 2, 1, 2, 2)


def let_a_fifth_of_all_calls_go_wrong(faults: FaultBook) -> None:
    """A throttled, a failed and an unanswered call are equally likely, where that is bearable.

    Glue failing on StartJobRun leaves the start in doubt for half a minute each time.
    """
    for pattern, throttle, error, dropped in (
        ("glue:StartJobRun", 0.08, 0.02, 0.10),
        ("*:*", 1 / 15, 1 / 15, 1 / 15),
    ):
        left = 1.0
        for kind, share in (("throttle", throttle), ("error", error), ("drop_after", dropped)):
            faults.add(pattern, kind, share=share / left)  # type: ignore[arg-type]
            left -= share


@pytest.fixture(scope="module")
def seed() -> int:
    return int(os.environ.get("GLUE_SEED", time.time_ns() % 1_000_000))


@pytest.fixture
def aws(seed: int) -> Disturbances:
    """The calls to AWS."""
    return Disturbances(seed=seed)


@pytest.fixture
def cloud(prefect_files: list[Path], aws: Disturbances, tmp_path: Path) -> Iterator[AwsCloud]:
    running = AwsCloud(
        tmp_path, GlueSettings(**QUICK, list_lag_seconds=LIST_LAG_SECONDS), wire=Wire(faults=aws)
    )
    for n, zone in enumerate("abc"):
        running.connection(zone, f"10.192.{n}.0/24", zone=f"us-east-1{zone}")
    running.job(script=SCRIPT, connections=ORIGINAL["job"])
    running.job("no-connections", script=SCRIPT)
    command = {"Name": "glueetl", "ScriptLocation": running.script(ENDLESS, "endless.py")}
    running.job("endless", Command=command)
    save_aws_block(running)
    yield running
    running.close()


@contextmanager
def undisturbed(cloud: AwsCloud, aws: Disturbances) -> Iterator[None]:
    """No call goes wrong, and every run is listed: for the test's own look."""
    aws.paused, cloud.settings.list_lag_seconds = True, 0
    yield
    aws.paused, cloud.settings.list_lag_seconds = False, LIST_LAG_SECONDS


def runs_by_key(cloud: AwsCloud) -> dict[str, list[str]]:
    """The states of all Glue runs there are, by run key."""
    found: dict[str, list[str]] = {}
    for job_name in cloud.glue.list_jobs()["JobNames"]:
        pages = cloud.glue.get_paginator("get_job_runs").paginate(JobName=job_name)
        for run in (run for page in pages for run in page["JobRuns"]):
            found.setdefault(run["Arguments"][RUN_KEY_ARGUMENT], []).append(run["JobRunState"])
    return found


def check_flow_run(
    cloud: AwsCloud, plan: Plan, flow_run_id: UUID, orders: GlueJobDefinition, story: str
) -> None:
    """It left no Glue run behind that goes on, and its job is as its definition says."""
    states = [
        state
        for key, states in runs_by_key(cloud).items()
        for state in states
        if key.startswith(str(flow_run_id))
    ]
    if plan.given.get("wait_for_end", True):
        assert not {"STARTING", "RUNNING", "STOPPING"} & {*states}, story
    if plan.job_name == "orders":
        job = cloud.glue.get_job(JobName="orders")["Job"]
        assert job["Description"] == orders.definition["Description"], story


def all_ended(cloud: AwsCloud) -> dict[str, list[str]]:
    """The runs by key, once those that nobody was to wait for have ended."""

    def look() -> dict[str, list[str]] | None:
        runs = runs_by_key(cloud)
        seen = {state for states in runs.values() for state in states}
        return None if seen & {"STARTING", "RUNNING"} else runs

    found: dict[str, list[str]] = eventually(look)
    return found


def check_nothing_is_left(cloud: AwsCloud, flow_run_ids: set[str]) -> None:
    """Each job has its order, or the next flow run puts it back; nothing is locked or reserved."""
    job_names = cloud.glue.list_jobs()["JobNames"]
    with server_records() as records:
        for job_name in job_names:
            job = cloud.glue.get_job(JobName=job_name)["Job"]
            original = ORIGINAL.get(job_name, ())
            remembered = OriginalOrders(records).read(original_order_key("us-east-1", job))
            if remembered is None:
                assert connections_of(job) == [*original], job_name
            else:  # too many calls in a row went wrong, or nobody waited for the end
                assert remembered.connection_names == original, job_name
        locks = VariableLocks(records, wait_seconds=4 * LEASE_SECONDS)
        claims = Claims(records, locks)
        reserved = {r.run_key.partition("/")[0] for r in claims.reservations()}
        assert not reserved & flow_run_ids
        names = [job_lock_name("us-east-1", job_name) for job_name in job_names]
        for name in (placement_lock_name("us-east-1"), *names):
            with locks.hold(name) as lock:
                lock.check()


def meant_state(key: str, plan: Plan) -> str:
    """How the Glue run of this key must end."""
    if plan.job_name == "endless":
        return "STOPPED"
    return "FAILED" if plan.failure and key.endswith("/1") else "SUCCEEDED"


def created(plan: Plan, seed: int) -> UUID:
    """A flow run that has not begun."""
    parameters = {
        "job_name": plan.job_name,
        "connection_names": "a,b,c",
        "seed": seed,
        "retry_delay_seconds": 0.5,
        "restore_order": True,
        **plan.given,
    }
    with get_client(sync_client=True) as client:
        return client.create_flow_run(glue_vpc_failover, parameters=parameters).id


def retry(flow_run_id: UUID) -> None:
    """As a person does it."""
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(flow_run_id, Scheduled(), force=True)


@pytest.mark.usefixtures("processes_of_this_server")
def test_killed_flow_runs_leave_exactly_the_runs_that_were_meant(
    cloud: AwsCloud, aws: Disturbances, seed: int, orders: GlueJobDefinition, tmp_path: Path
) -> None:
    """SIGKILL at any call or moment, and the same flow run again, until it ends by itself."""
    print(f"GLUE_SEED={seed} GLUE_KILLS={KILLS}")
    rng, log = random.Random(seed), tmp_path / "processes.log"
    log.touch()
    orders.definition["Connections"] = {"Connections": [*ORIGINAL["orders"]]}
    let_a_fifth_of_all_calls_go_wrong(aws)
    began_at, planned = time.monotonic(), dict[str, Plan]()
    server = Disturbances()
    with failing_server(PREFECT_API_URL.value(), server) as api_url:
        killer = Killer(KILLS, aws, server, api_url, rng, log)
        while killer.kills.total() < KILLS:
            plan = rng.choices(PLANS, SHARES)[0]
            if plan.failure:
                cloud.fault("fail-next-runs", job_name="job", error_message=plan.failure)
            orders.definition["Description"] = f"as it was for flow run {len(planned)}"
            orders.save("orders", overwrite=True)
            flow_run_id = created(plan, rng.randrange(1000))
            story = f"GLUE_SEED={seed}, {plan}, log {log}"
            ended = killer.execute(flow_run_id)
            if plan.retried:
                assert ended.state_name == "Failed", story
                retry(flow_run_id)
                ended = killer.execute(flow_run_id)
            assert ended.state_name == plan.state, f"{story}: {ended.state}"
            with undisturbed(cloud, aws):
                check_flow_run(cloud, plan, flow_run_id, orders, story)
            planned.update({f"{flow_run_id}/{n + 1}": plan for n in range(plan.attempts)})

    calls = Counter(r.detail.get("fault", "none") for r in cloud.requests())
    with undisturbed(cloud, aws):
        runs = all_ended(cloud)
        check_nothing_is_left(cloud, {key.partition("/")[0] for key in planned})
    not_started = {key for key, plan in planned.items() if plan.may_not_start} - runs.keys()
    wrong = calls.total() - calls["none"]
    print(
        f"{killer.kills.total()} kills ({dict(killer.kills)}) in {len(planned)} intended runs of "
        f"{len({key.partition('/')[0] for key in planned})} flow runs; {wrong} of {calls.total()} "
        f"calls to AWS went wrong ({dict(calls)}), and those to the Prefect server in "
        f"{dict(killer.hits)} processes; {len(not_started)} deadlines passed before the start; "
        f"{time.monotonic() - began_at:.0f} s"
    )
    meant = {key: [meant_state(key, planned[key])] for key in planned.keys() - not_started}
    assert runs == meant
