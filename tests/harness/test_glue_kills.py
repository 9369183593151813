"""Flow runs killed at random from selection to the end, with a fifth of all AWS calls going wrong.

GLUE_KILLS says how many processes are killed; GLUE_SEED replays the kills and the plan.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.states import Crashed, Scheduled

from flinkglue.glue.job_update import connections_of
from flinkglue.glue.lock import job_lock_name, placement_lock_name
from flinkglue.glue.models import RUN_KEY_ARGUMENT
from flinkglue.glue.original_order import original_order_key
from flows.glue_vpc_failover import glue_vpc_failover
from localcloud.aws.glue.settings import GlueSettings
from localcloud.faults import Fault, FaultBook
from localcloud.wire import Wire
from tasks.glue_coordination import VariableReservations
from tasks.glue_locks import VariableLocks
from tasks.glue_original_orders import VariableOriginalOrders
from tasks.server_records import server_records
from tests.contract.aws_cloud import QUICK, AwsCloud
from tests.harness import glue_flow_process
from tests.harness.conftest import LEASE_SECONDS, save_aws_block

KILLS = int(os.environ.get("GLUE_KILLS", "6"))
KILLED_SHARE = 0.7
MOST_CALLS, MOST_SECONDS = 16, 5.0
LIST_LAG_SECONDS = 2.0  # longer than a killed process takes to be there again
PATIENCE_SECONDS = 600.0
ORIGINAL = ("c", "a")
SCRIPT = "import time; time.sleep(0.5); print('done')"


@dataclass(frozen=True)
class Plan:
    """What happens to a flow run, and how it must end.

    Args:
        failure: The text with which its first Glue run fails; empty: it succeeds.
        retried: Whether a person retries the flow run after it failed.
        attempts: How many Glue runs there must be in the end.
        state: How the flow run must end.
    """

    failure: str
    retried: bool
    attempts: int
    state: str


PLANS = (
    Plan("", False, 1, "Completed"),
    Plan("Number of IP addresses on subnet is 0", False, 2, "Completed"),
    Plan("Resource unavailable", False, 2, "Completed"),
    Plan("Exceeded maximum concurrent compute capacity", False, 2, "Completed"),
    Plan("Command failed with exit code 1", False, 1, "Failed"),
    Plan("Command failed with exit code 1", True, 2, "Completed"),
)
SHARES = (6, 2, 2, 2, 3, 2)


class KillingFaults(FaultBook):
    """Kills a process when it makes its nth call, either before or after that is processed."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed=seed)
        self._armed: tuple[int, int, bool] | None = None
        self._calls = 0
        self._arming = threading.Lock()

    def arm(self, pid: int, at_call: int, processed: bool) -> None:
        with self._arming:
            self._armed, self._calls = (pid, at_call, processed), 0

    def disarm(self) -> None:
        with self._arming:
            self._armed = None

    def take(self, service: str, operation: str) -> Fault | None:
        with self._arming:
            self._calls += 1
            if self._armed and self._calls == self._armed[1]:
                pid, _, processed = self._armed
                os.kill(pid, signal.SIGKILL)
                if not processed:
                    return Fault("killed", "*:*", "drop_before", 1, 1.0, 0.0, 500, "")
        return super().take(service, operation)


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
def killing(seed: int) -> KillingFaults:
    return KillingFaults(seed)


@pytest.fixture
def cloud(prefect_files: list[Path], killing: KillingFaults, tmp_path: Path) -> Iterator[AwsCloud]:
    running = AwsCloud(
        tmp_path,
        GlueSettings(**QUICK, list_lag_seconds=LIST_LAG_SECONDS),
        wire=Wire(faults=killing),
    )
    for n, zone in enumerate("abc"):
        running.connection(zone, f"10.192.{n}.0/24", zone=f"us-east-1{zone}")
    running.job(script=SCRIPT, connections=ORIGINAL)
    save_aws_block(running)
    yield running
    running.close()


class Killer:
    """Executes flow runs in processes, and kills some of them.

    Args:
        faults: Where calls are counted.
        rng: Draws who is killed when.
        log: Where the processes write.
    """

    def __init__(self, faults: KillingFaults, rng: random.Random, log: Path) -> None:
        self._faults = faults
        self._rng = rng
        self._log = log
        self.kills: Counter[str] = Counter()

    def execute(self, flow_run_id: UUID) -> FlowRun:
        """Start processes until one ends by itself; the flow run as that one left it."""
        while True:
            may_be_killed = self.kills.total() < KILLS
            if not self._killed(flow_run_id, may_be_killed=may_be_killed):
                with get_client(sync_client=True) as client:
                    return client.read_flow_run(flow_run_id)
            with get_client(sync_client=True) as client:  # as a worker and then a person does it
                client.set_flow_run_state(flow_run_id, Crashed(), force=True)
                client.set_flow_run_state(flow_run_id, Scheduled(), force=True)

    def _killed(self, flow_run_id: UUID, *, may_be_killed: bool) -> bool:
        doomed = self._rng.random() < KILLED_SHARE
        by_call = self._rng.random() < 0.6
        at_call, processed = self._rng.randint(1, MOST_CALLS), self._rng.random() < 0.5
        after_seconds = self._rng.uniform(0, MOST_SECONDS)
        process = glue_flow_process.started(flow_run_id, self._log)
        assert process.pid
        how = "not"
        if doomed and may_be_killed and by_call:
            how = f"at call {at_call} ({'processed' if processed else 'dropped'})"
            self._faults.arm(process.pid, at_call, processed)
        elif doomed and may_be_killed:
            how = f"after {after_seconds:.2f} s"
            process.join(after_seconds)
            process.kill()
        process.join(PATIENCE_SECONDS)
        self._faults.disarm()
        assert process.exitcode is not None, f"flow run {flow_run_id} does not end"
        killed = process.exitcode == -signal.SIGKILL
        print(f"flow run {flow_run_id}: {how} killed, exit code {process.exitcode}", flush=True)
        self.kills[how.split()[0]] += killed
        process.close()
        return killed


def runs_by_key(cloud: AwsCloud) -> dict[str, list[str]]:
    """The states of all Glue runs there are, by run key."""
    found: dict[str, list[str]] = {}
    pages = cloud.glue.get_paginator("get_job_runs").paginate(JobName="job")
    for run in (run for page in pages for run in page["JobRuns"]):
        found.setdefault(run["Arguments"][RUN_KEY_ARGUMENT], []).append(run["JobRunState"])
    return found


@pytest.mark.usefixtures("processes_of_this_server")
def test_killed_flow_runs_leave_exactly_the_runs_that_were_meant(
    cloud: AwsCloud, killing: KillingFaults, seed: int, tmp_path: Path
) -> None:
    """SIGKILL at any call or moment, and the same flow run again, until it ends by itself."""
    print(f"GLUE_SEED={seed} GLUE_KILLS={KILLS}")
    rng, log = random.Random(seed), tmp_path / "processes.log"
    log.touch()
    killer = Killer(killing, rng, log)
    let_a_fifth_of_all_calls_go_wrong(killing)
    began_at, planned = time.monotonic(), {}
    while killer.kills.total() < KILLS:
        plan = rng.choices(PLANS, SHARES)[0]
        if plan.failure:
            cloud.fault("fail-next-runs", job_name="job", error_message=plan.failure)
        with get_client(sync_client=True) as client:
            parameters = {
                "job_name": "job",
                "connection_names": "a,b,c",
                "seed": rng.randrange(1000),
                "retry_delay_seconds": 0.5,
                "restore_order": True,
            }
            flow_run = client.create_flow_run(glue_vpc_failover, parameters=parameters)
        story = f"GLUE_SEED={seed}, {plan}, log {log}"
        ended = killer.execute(flow_run.id)
        if plan.retried:
            assert ended.state_name == "Failed", story
            with get_client(sync_client=True) as client:
                client.set_flow_run_state(flow_run.id, Scheduled(), force=True)
            ended = killer.execute(flow_run.id)
        assert ended.state_name == plan.state, story
        planned.update({f"{flow_run.id}/{n + 1}": plan for n in range(plan.attempts)})

    calls = Counter(r.detail.get("fault", "none") for r in cloud.requests())
    killing.clear()
    cloud.settings.list_lag_seconds = 0
    runs = runs_by_key(cloud)
    wrong = calls.total() - calls["none"]
    print(
        f"{killer.kills.total()} kills ({dict(killer.kills)}) in {len(planned)} intended runs of "
        f"{len({key.partition('/')[0] for key in planned})} flow runs; {wrong} of {calls.total()} "
        f"calls went wrong ({dict(calls)}); {time.monotonic() - began_at:.0f} s"
    )
    assert {key: len(states) for key, states in runs.items()} == dict.fromkeys(planned, 1)
    for key, plan in planned.items():
        meant = "FAILED" if plan.failure and key.endswith("/1") else "SUCCEEDED"
        assert runs[key] == [meant], key
    with server_records() as records:
        job = cloud.glue.get_job(JobName="job")["Job"]
        remembered = VariableOriginalOrders(records).read(original_order_key("us-east-1", job))
        if remembered is None:
            assert connections_of(job) == [*ORIGINAL]
        else:  # too many calls in a row went wrong: the next flow run puts it back
            assert remembered.connection_names == ORIGINAL
        locks = VariableLocks(records, wait_seconds=4 * LEASE_SECONDS)
        flow_run_ids = {key.partition("/")[0] for key in planned}
        promised = {
            r.run_key.partition("/")[0] for r in VariableReservations(records, locks).live()
        }
        assert not promised & flow_run_ids
        for name in (placement_lock_name("us-east-1"), job_lock_name("us-east-1", "job")):
            with locks.hold(name) as lock:
                lock.check()
