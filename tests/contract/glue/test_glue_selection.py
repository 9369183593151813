"""Selection with reservations, and starts under a lock, against the local AWS."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from flinkglue.clock import Pace
from flinkglue.errors import InvalidInput, JobFailed, NotFound, Throttled
from flinkglue.glue.attempts import Attempt
from flinkglue.glue.client import GlueClient
from flinkglue.glue.coordination.claims import Claims, Reservation
from flinkglue.glue.coordination.lock import HeldLock, InProcessLocks
from flinkglue.glue.coordination.run_context import (
    Coordination,
    RunContext,
    coordination_in_process,
)
from flinkglue.glue.coordination.slots import NoSlot, wait_for_slot
from flinkglue.glue.models import CONNECTION_ARGUMENT, RUN_KEY_ARGUMENT, Group, Ranking
from flinkglue.glue.placement.placement_request import PlacementRequest
from flinkglue.glue.placement.selection import select
from flinkglue.glue.placement.shortage import NoPlace, ShortagePolicy, WhenNothingFits
from flinkglue.glue.placement.strategies import STRATEGIES
from flinkglue.glue.run.job_run import run_job
from flinkglue.glue.run_request import RunRequest
from localcloud.aws.glue.settings import GlueSettings
from tests.contract.aws.aws_cloud import QUICK, AwsCloud, HastyClock
from tests.contract.glue.test_glue_library import connected
from tests.waiting import eventually

LOG = logging.getLogger(__name__)
FAST = Pace(first_seconds=0.05, most_seconds=0.05)
FULL = "Number of IP addresses on subnet is 0"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[AwsCloud]:
    running = AwsCloud(tmp_path, GlueSettings(**{**QUICK, "start_delay_seconds": 0.3}))
    yield running
    running.close()


@pytest.fixture
def client(cloud: AwsCloud) -> GlueClient:
    return connected(cloud)


@pytest.fixture
def coordination() -> Coordination:
    return coordination_in_process()


def request(number: int) -> RunRequest:
    return RunRequest("job", "flow-run", datetime.now(UTC), number, deadline_seconds=60)


def among(*names: str, strategy: str = "best_fit", **more: Any) -> PlacementRequest:
    return PlacementRequest(request(1), names, strategy, STRATEGIES[strategy], seed=0, **more)


def chosen(
    client: GlueClient, requested: PlacementRequest, coordination: Coordination, number: int = 1
) -> Ranking:
    context = RunContext(client, LOG, coordination, HastyClock(), FAST)
    return select(context, replace(requested, run=request(number)))


def ran(
    client: GlueClient, requested: PlacementRequest, coordination: Coordination, number: int = 1
) -> Attempt:
    ranking = chosen(client, requested, coordination, number)
    context = RunContext(client, LOG, coordination, HastyClock(), FAST)
    return run_job(context, request(number), ranking)


def test_runs_that_start_together_all_get_all_their_nodes(
    cloud: AwsCloud, client: GlueClient, coordination: Coordination
) -> None:
    """Two subnets of 11 addresses hold four runs of 4; the fifth and sixth wait for them."""
    for n, name in enumerate("ab"):
        cloud.connection(name, f"10.192.{n}.0/28")
    cloud.job()
    cloud.fault("glue-timing", run_seconds=1)
    cloud.settings.nodes_beside_workers = 2
    with ThreadPoolExecutor(6) as pool:
        attempts = [*pool.map(lambda n: ran(client, among("a", "b"), coordination, n), range(1, 7))]
    assert [attempt.succeeded for attempt in attempts] == [True] * 6
    nodes = [(r["nodes_had"], r["nodes_wanted"]) for r in cloud.fault("glue-runs")]
    assert nodes == [(4, 4)] * 6
    assert coordination.claims.reservations() == []


def test_without_reservations_the_same_runs_come_short(cloud: AwsCloud, client: GlueClient) -> None:
    """The published design on the same subnets: all see the same counts."""
    for n, name in enumerate("ab"):
        cloud.connection(name, f"10.192.{n}.0/28")
    cloud.job()
    cloud.fault("glue-timing", run_seconds=1)
    cloud.settings.nodes_beside_workers = 2
    at_once = ShortagePolicy(WhenNothingFits.USE_BEST)
    requested = among("a", "b", strategy="capacity", shortage=at_once)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: ran(client, requested, coordination_in_process(), n), range(1, 5)))
    assert any(r["nodes_had"] < r["nodes_wanted"] for r in cloud.fault("glue-runs"))


def test_a_connection_that_failed_is_left_alone_by_the_next_flow_run(
    cloud: AwsCloud, client: GlueClient, coordination: Coordination
) -> None:
    cloud.two_connections()
    cloud.job()
    cloud.fault("fail-next-runs", job_name="job", times=1, error_message=FULL)
    failed = ran(client, among("a", "b"), coordination)
    assert (failed.succeeded, failed.connection_name) == (False, "a")
    ranking = chosen(client, among("a", "b"), coordination, 2)
    assert ranking.connection_names == ["b", "a"]
    cooled_down = ranking.connections[1].cooled_down
    assert cooled_down is not None
    assert cooled_down.evidence == FULL


def test_a_broken_script_is_not_held_against_its_connection(
    cloud: AwsCloud, client: GlueClient, coordination: Coordination
) -> None:
    cloud.two_connections()
    cloud.job()
    cloud.fault("fail-next-runs", job_name="job", times=1, error_message="Command failed")
    ran(client, among("a", "b"), coordination)
    assert coordination.cool_downs.live() == []


def test_nothing_fits_and_the_person_chose_to_fail(
    cloud: AwsCloud, client: GlueClient, coordination: Coordination
) -> None:
    cloud.connection("a", "10.192.1.0/28")
    cloud.job(NumberOfWorkers=20)
    requested = among("a", shortage=ShortagePolicy(WhenNothingFits.FAIL))
    with pytest.raises(JobFailed, match=r"No subnet has the 22 addresses.*free: a 11"):
        ran(client, requested, coordination)
    assert cloud.requests(operation="StartJobRun") == []


def test_nothing_fits_within_the_deadline_and_the_run_takes_what_there_is(
    cloud: AwsCloud, client: GlueClient, coordination: Coordination
) -> None:
    cloud.connection("a", "10.192.1.0/28")
    cloud.connection("b", "10.192.2.0/27")
    cloud.job(NumberOfWorkers=40)
    requested = among("a", "b", shortage=ShortagePolicy(wait_seconds=0.5))
    ranking = chosen(client, requested, coordination)
    assert [r.group for r in ranking.connections] == [Group.USABLE, Group.USABLE]
    [reservation] = coordination.claims.reservations()
    assert (reservation.connection_name, reservation.addresses) == ("b", 27)


def test_the_jobs_own_connections_are_put_in_order_when_none_are_named(
    cloud: AwsCloud, client: GlueClient, coordination: Coordination
) -> None:
    subnet_id, _ = cloud.two_connections()
    cloud.job(connections=("a", "b"))
    cloud.fault("fill-subnet", subnet_id=subnet_id)
    requested = replace(among(), connection_names=None)
    attempt = ran(client, requested, coordination)
    assert (attempt.succeeded, attempt.connection_name) == (True, "b")
    assert client.get_job("job")["Connections"]["Connections"] == ["b", "a"]


@pytest.mark.parametrize("list_all", [False, True])
def test_a_job_without_connections_just_runs(
    cloud: AwsCloud, client: GlueClient, coordination: Coordination, list_all: bool
) -> None:
    """Nothing is read, written or reserved for it."""
    cloud.job()
    cloud.wire.requests.clear()
    requested = replace(among(), connection_names=None, list_all=list_all)
    ranking = chosen(client, requested, coordination)
    assert coordination.claims.reservations() == []
    attempt = run_job(
        RunContext(client, LOG, coordination=coordination, pace=FAST), request(1), ranking
    )
    assert (attempt.succeeded, attempt.connection_name) == (True, None)
    called = {r.operation for r in cloud.requests()}
    assert called == {"GetJob", "GetJobRuns", "StartJobRun", "GetJobRun"}


def test_a_connection_in_the_wrong_zone_is_passed_over_before_a_run_fails_on_it(
    cloud: AwsCloud, client: GlueClient, coordination: Coordination
) -> None:
    cloud.two_connections()
    needs = cloud.glue.get_connection(Name="a")["Connection"]["PhysicalConnectionRequirements"]
    wrong = {"PhysicalConnectionRequirements": {**needs, "AvailabilityZone": "us-east-1d"}}
    cloud.connection("wrong", **wrong)
    cloud.job()
    attempt = ran(client, among("wrong", "b", strategy="preferred"), coordination)
    assert (attempt.succeeded, attempt.connection_name) == (True, "b")


def test_security_groups_are_read_on_request_with_one_call(
    cloud: AwsCloud, client: GlueClient, coordination: Coordination
) -> None:
    cloud.two_connections()
    needs = cloud.glue.get_connection(Name="a")["Connection"]["PhysicalConnectionRequirements"]
    wrong = {"PhysicalConnectionRequirements": {**needs, "SecurityGroupIdList": ["sg-0123abcd"]}}
    cloud.connection("wrong", **wrong)
    cloud.job()
    requested = among("wrong", "b", strategy="preferred")
    failed = ran(client, requested, coordination)
    assert failed.failure
    assert failed.failure.alert
    assert failed.connection_name == "wrong"
    assert [c.connection_name for c in coordination.cool_downs.live()] == ["wrong"]
    assert cloud.requests("ec2", "DescribeSecurityGroups") == []

    careful = replace(requested, check_security_groups=True)
    ranking = chosen(client, careful, coordination_in_process(), 2)
    assert ranking.connection_names == ["b", "wrong"]
    assert "no security group sg-0123abcd" in str(ranking.connections[1].problem)
    assert len(cloud.requests("ec2", "DescribeSecurityGroups")) == 1


def test_subnets_that_are_not_there_are_told_at_once(
    cloud: AwsCloud, client: GlueClient, coordination: Coordination
) -> None:
    """Deleted, or of another account or region: no wait would bring them back."""
    for subnet_id in cloud.two_connections():
        cloud.ec2.delete_subnet(SubnetId=subnet_id)
    cloud.job()
    with pytest.raises(NoPlace, match=r"a: EC2 knows no subnet.*b: EC2.*another account") as told:
        chosen(client, among("a", "b"), coordination)
    assert "workers" not in str(told.value)
    assert len(told.value.ranking.connections) == 2
    assert coordination.claims.reservations() == []


@pytest.mark.parametrize(
    ("strategy", "given", "reserved"),
    [("capacity", None, 4), ("random", None, 4), ("capacity", 0, 2), ("best_fit", None, 4)],
)
def test_what_a_run_may_take_is_reserved_whatever_the_groups_count(
    cloud: AwsCloud,
    client: GlueClient,
    coordination: Coordination,
    strategy: str,
    given: int | None,
    reserved: int,
) -> None:
    """A job of two workers: Glue adds one or two nodes, unless a person knows better."""
    cloud.connection("a", "10.192.1.0/28")
    cloud.job()
    chosen(client, among("a", strategy=strategy, extra_nodes=given), coordination)
    [reservation] = coordination.claims.reservations()
    assert reservation.addresses == reserved


def test_a_run_waits_until_addresses_come_back(
    cloud: AwsCloud, client: GlueClient, coordination: Coordination
) -> None:
    subnet_id = cloud.connection("a", "10.192.1.0/28")
    cloud.job()
    cloud.fault("fill-subnet", subnet_id=subnet_id, leave=3)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(chosen, client, among("a"), coordination)
        time.sleep(0.3)
        assert not waiting.done()
        cloud.fault("drain-subnet", subnet_id=subnet_id)
        assert waiting.result(timeout=60).connections[0].group is Group.GOOD


class CountedLocks(InProcessLocks):
    """Tells how often a lock was taken, and what was done while it was."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[str] = []
        self.is_held = False

    @contextmanager
    def hold(self, name: str, within_seconds: float | None = None) -> Iterator[HeldLock]:
        with super().hold(name, within_seconds) as lock:
            self.taken.append(name)
            self.is_held = True
            yield lock
            self.is_held = False


@pytest.fixture
def locks(coordination: Coordination) -> CountedLocks:
    counted = CountedLocks()
    assert isinstance(coordination.claims, Claims)
    coordination.claims.locks = counted
    return counted


def test_runs_that_wait_for_addresses_leave_the_lock_to_others(
    cloud: AwsCloud, client: GlueClient, coordination: Coordination, locks: CountedLocks
) -> None:
    """It is taken once to find that nothing fits, and once to reserve what came back."""
    subnet_id = cloud.connection("a", "10.192.1.0/28")
    cloud.job()
    cloud.fault("fill-subnet", subnet_id=subnet_id, leave=3)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(chosen, client, among("a"), coordination)
        eventually(lambda: len(cloud.requests("ec2", "DescribeSubnets")) > 10)
        assert locks.taken == ["placement in us-east-1"]
        cloud.fault("drain-subnet", subnet_id=subnet_id)
        assert waiting.result(timeout=60).connections[0].group is Group.GOOD
    assert locks.taken == ["placement in us-east-1"] * 2


def test_what_is_read_under_the_lock_decides(
    cloud: AwsCloud, client: GlueClient, coordination: Coordination, locks: CountedLocks
) -> None:
    """Somebody reserves the addresses between the poll without the lock and the one under it."""
    cloud.connection("a", "10.192.1.0/28")
    cloud.connection("b", "10.192.2.0/24", zone="us-east-1b")
    cloud.job()

    def own(connections: list[dict[str, Any]], rng: Random) -> list[str]:
        if not locks.is_held:
            other = Reservation("other/1", "job", "a", subnet_of["a"], "us-east-1a", 10)
            coordination.claims.reserve(other)
        return sorted(connection["name"] for connection in connections)

    candidates = client.get_candidates("job", ["a", "b"])
    subnet_of = {c.name: c.subnet_id or "" for c in client.add_subnets(candidates)}
    requested = replace(among("a", "b"), strategy_name="tests:own", strategy=own)
    assert chosen(client, requested, coordination).connection_names == ["b", "a"]


def test_a_persons_own_strategy_is_not_run_under_the_lock_when_nothing_has_changed(
    cloud: AwsCloud, client: GlueClient, coordination: Coordination, locks: CountedLocks
) -> None:
    cloud.two_connections()
    cloud.job()
    run_under_the_lock: list[bool] = []

    def own(connections: list[dict[str, Any]], rng: Random) -> list[str]:
        run_under_the_lock.append(locks.is_held)
        return rng.sample(sorted(connection["name"] for connection in connections), 2)

    requested = replace(among("a", "b"), strategy_name="tests:own", strategy=own)
    assert len(chosen(client, requested, coordination).connection_names) == 2
    assert run_under_the_lock == [False]


def test_the_first_choice_takes_two_dependent_round_trips(
    cloud: AwsCloud, client: GlueClient, coordination: Coordination
) -> None:
    """With strategy spread, too: the live runs are read beside the connections."""
    cloud.two_connections()
    cloud.job()
    cloud.wire.requests.clear()
    cloud.wire.faults.add("*:*", "delay", seconds=1)
    chosen(client, among("a", "b", strategy="spread"), coordination)
    [subnets] = cloud.requests("ec2", "DescribeSubnets")
    before = [request for request in cloud.requests() if request is not subnets]
    assert sorted(request.operation for request in before) == [
        "GetConnection", "GetConnection", "GetJob", "GetJobRuns", "GetJobRuns"
    ]  # fmt: skip
    first_ends = min(request.at + request.seconds for request in before)
    assert all(request.at < first_ends for request in before), "none waited for another"


def test_connections_of_several_vpcs_are_refused_unless_allowed(
    cloud: AwsCloud, client: GlueClient, coordination: Coordination
) -> None:
    cloud.connection("a", "10.192.1.0/24")
    other_vpc = cloud.ec2.create_vpc(CidrBlock="10.200.0.0/16")["Vpc"]["VpcId"]
    subnet = cloud.ec2.create_subnet(VpcId=other_vpc, CidrBlock="10.200.1.0/24")["Subnet"]
    cloud.connection(
        "b",
        PhysicalConnectionRequirements={
            "SubnetId": subnet["SubnetId"],
            "SecurityGroupIdList": [cloud.security_group_id],
        },
    )
    cloud.job()
    with pytest.raises(InvalidInput, match=f"{other_vpc}: b"):
        chosen(client, among("a", "b"), coordination)
    allowed = among("a", "b", allow_several_vpcs=True)
    assert sorted(chosen(client, allowed, coordination).connection_names) == ["a", "b"]


def test_runs_are_spread_over_zones_by_what_runs_now(
    cloud: AwsCloud, client: GlueClient, coordination: Coordination
) -> None:
    cloud.two_connections()
    cloud.job()
    cloud.fault("glue-timing", run_seconds=30)
    cloud.start(Arguments={"--flinkglue-run-key": "other/1", "--flinkglue-connection": "a"})
    cloud.wait_for(cloud.glue.get_job_runs(JobName="job")["JobRuns"][0]["Id"], "RUNNING")
    spread = among("a", "b", strategy="spread")
    assert chosen(client, spread, coordination, 1).connection_names == ["b", "a"]
    assert chosen(client, spread, coordination, 2).connection_names == ["a", "b"]


def test_all_connections_are_read_with_one_call_when_that_is_allowed(
    cloud: AwsCloud, client: GlueClient
) -> None:
    names = [f"c{n:02}" for n in range(30)]
    for n, name in enumerate(names):
        cloud.connection(name, f"10.192.{n}.0/24")
    cloud.job()
    by_name = client.add_subnets(client.get_candidates("job", [*names, "nowhere"]))
    cloud.wire.requests.clear()
    candidates = client.get_candidates("job", [*names, "nowhere"], list_all=True)
    listed = client.add_subnets(candidates)
    assert sorted(r.operation for r in cloud.requests()) == [
        "DescribeSubnets",
        "GetConnections",
        "GetJob",
    ]
    assert listed[:-1] == by_name[:-1]
    assert "not among the connections of the account" in str(listed[-1].problem)
    with pytest.raises(NotFound, match="connection nowhere"):
        client.get_candidates("job", ["nowhere"], list_all=True)


def ran_in_turn(
    client: GlueClient, requested: PlacementRequest, coordination: Coordination, number: int
) -> Attempt:
    """As the flow does it: choose again whenever the job has a slot."""
    while True:
        with suppress(NoSlot):
            return ran(client, requested, coordination, number)
        wait_for_slot(RunContext(client, LOG, clock=HastyClock()), request(number))


def test_runs_that_have_no_slot_take_no_addresses_from_others(
    cloud: AwsCloud, client: GlueClient, coordination: Coordination
) -> None:
    """Two subnets of 11, runs of 10, one slot: each run finds room when it is its turn."""
    for n, name in enumerate("ab"):
        cloud.connection(name, f"10.192.{n}.0/28")
    cloud.job(ExecutionProperty={"MaxConcurrentRuns": 1}, NumberOfWorkers=9)
    cloud.settings.slot_lag_seconds = 0.3
    at_once = ShortagePolicy(WhenNothingFits.USE_BEST)
    requested = among("a", "b", strategy="capacity", shortage=at_once, extra_nodes=1)
    with ThreadPoolExecutor(5) as pool:
        attempts = [
            *pool.map(lambda n: ran_in_turn(client, requested, coordination, n), range(1, 6))
        ]
    assert [attempt.succeeded for attempt in attempts] == [True] * 5
    nodes = [(r["nodes_had"], r["nodes_wanted"]) for r in cloud.fault("glue-runs")]
    assert nodes == [(10, 10)] * 5
    assert coordination.claims.reservations() == []


def test_who_has_no_slot_writes_nothing_and_reserves_nothing(
    cloud: AwsCloud, client: GlueClient, coordination: Coordination
) -> None:
    cloud.two_connections()
    cloud.job(ExecutionProperty={"MaxConcurrentRuns": 1})
    ranking = chosen(client, among("a", "b"), coordination)
    cloud.fault("glue-timing", run_seconds=60)
    cloud.start()
    with pytest.raises(NoSlot, match=r"job job: live runs 1, allowed 1 \(MaxConcurrentRuns\)"):
        run_job(RunContext(client, LOG, coordination=coordination), request(1), ranking)
    with pytest.raises(NoSlot):
        chosen(client, among("a", "b"), coordination, 2)
    assert coordination.claims.reservations() == []
    assert cloud.requests(operation="UpdateJob") == []
    assert len(cloud.requests(operation="StartJobRun")) == 1


def test_a_slot_that_glue_still_counts_is_refused_as_one_that_is_taken(
    cloud: AwsCloud, client: GlueClient, coordination: Coordination
) -> None:
    """The list shows no live run, and for 5 to 10 s Glue refuses another all the same."""
    cloud.two_connections()
    cloud.job(ExecutionProperty={"MaxConcurrentRuns": 1})
    cloud.settings.slot_lag_seconds = 600
    cloud.finished(cloud.start())
    ranking = chosen(client, among("a", "b"), coordination)
    with pytest.raises(NoSlot, match="job job: live runs 0"):
        run_job(RunContext(client, LOG, coordination=coordination), request(1), ranking)
    assert coordination.claims.reservations() == []


def test_a_job_that_queues_its_runs_needs_no_slot(
    cloud: AwsCloud, client: GlueClient, coordination: Coordination
) -> None:
    cloud.two_connections()
    cloud.job(ExecutionProperty={"MaxConcurrentRuns": 1}, JobRunQueuingEnabled=True)
    cloud.fault("glue-timing", run_seconds=0.5)
    cloud.start()
    assert ran(client, among("a", "b"), coordination).succeeded


def test_somebody_else_who_changes_the_job_is_waited_for(
    cloud: AwsCloud, client: GlueClient, coordination: Coordination
) -> None:
    cloud.two_connections()
    cloud.job()
    cloud.settings.update_seconds = 0.3
    ray = {"Name": "glueray", "Runtime": "Ray2.4"}  # which takes only time here
    workers = {"WorkerType": "Z.2X", "NumberOfWorkers": 2}
    cloud.glue.update_job(JobName="job", JobUpdate={"Role": "r", "Command": ray, **workers})
    assert ran(client, among("a", "b"), coordination).succeeded


def test_an_update_that_is_never_let_through_is_an_error_after_minutes(
    cloud: AwsCloud, coordination: Coordination
) -> None:
    client = connected(cloud, retries={"total_max_attempts": 1})
    cloud.two_connections()
    cloud.job()
    ranking = chosen(client, among("a", "b"), coordination)
    cloud.wire.faults.add("glue:UpdateJob", "throttle", times=None)
    clock, patient = HastyClock(share=0.005), replace(request(1), deadline_seconds=3600)
    with pytest.raises(Throttled, match="UpdateJob"):
        run_job(
            RunContext(client, LOG, coordination=coordination, clock=clock, pace=FAST),
            patient,
            ranking,
        )
    assert clock.skipped > 250
    assert len(cloud.requests(operation="UpdateJob")) > 10
    assert cloud.requests(operation="StartJobRun") == []


def test_a_connection_on_which_an_adopted_run_failed_is_on_cooldown_too(
    cloud: AwsCloud, client: GlueClient, coordination: Coordination
) -> None:
    """The process that chose its order is gone."""
    subnet_a, _ = cloud.two_connections()
    cloud.job(connections=("a", "b"))
    cloud.fault(
        "fail-next-runs",
        job_name="job",
        times=1,
        error_message=f"Number of IP addresses on subnet is 0: {subnet_a}",
    )
    arguments = {RUN_KEY_ARGUMENT: request(1).key, CONNECTION_ARGUMENT: "a"}
    cloud.finished(cloud.start(Arguments=arguments))
    reads = len(cloud.requests("glue", "GetJob"))
    failed = run_job(
        RunContext(client, LOG, coordination=coordination, pace=FAST), request(1), None
    )
    # For MaxRetries, for its connections, and whether its order is to be put back.
    assert len(cloud.requests("glue", "GetJob")) == reads + 3
    assert (failed.adopted, failed.connection_name) == (True, "a")
    assert [c.connection_name for c in coordination.cool_downs.live()] == ["a"]
    assert chosen(client, among("a", "b"), coordination, 2).connection_names == ["b", "a"]


def test_a_run_that_is_adopted_reserves_no_addresses_again(
    cloud: AwsCloud, client: GlueClient, coordination: Coordination
) -> None:
    cloud.two_connections()
    cloud.job()
    first = ran(client, among("a", "b"), coordination)
    again = run_job(RunContext(client, LOG, coordination=coordination, pace=FAST), request(1), None)
    assert again == replace(first, adopted=True)
    assert coordination.claims.reservations() == []
