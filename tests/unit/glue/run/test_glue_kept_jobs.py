"""A choice that goes by the job as it was read a moment ago, for another run of it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from flinkglue.glue.api.kept_jobs import KEPT_SECONDS, KeptJobs
from flinkglue.glue.attempts import Attempt
from flinkglue.glue.coordination.run_context import RunContext, coordination_in_process
from flinkglue.glue.coordination.slots import OrderStale
from flinkglue.glue.models import Ranking
from flinkglue.glue.placement.placement_request import PlacementRequest
from flinkglue.glue.placement.selection import select
from flinkglue.glue.placement.shortage import NoPlace, ShortagePolicy, WhenNothingFits
from flinkglue.glue.placement.strategies import STRATEGIES
from flinkglue.glue.run.job_run import run_job
from flinkglue.glue.run_request import RunRequest
from tests.contract.aws.aws_cloud import HastyClock
from tests.unit.glue.coordination.test_glue_reservations import HandClock
from tests.unit.glue.run.test_glue_start_deadline import FIVE_MINUTES, AddressesOnTheWire

LOG = logging.getLogger(__name__)
JOB = "nightly"


def test_a_job_is_kept_for_a_minute() -> None:
    clock = HandClock()
    jobs, job = KeptJobs(clock), {"Name": JOB}
    jobs.keep(JOB, job)  # type: ignore[arg-type]
    clock.at += KEPT_SECONDS
    assert jobs.recent(JOB) == job
    clock.at += 1
    assert jobs.recent(JOB) is None
    jobs.keep("another", job)  # type: ignore[arg-type]
    assert jobs.recent(JOB) is None


@dataclass
class Runs:
    """Flow runs of one process, each with a run of the same job."""

    wire: AddressesOnTheWire = field(default_factory=lambda: AddressesOnTheWire(lambda: 200))

    def __post_init__(self) -> None:
        self.wire.settings["ExecutionProperty"] = {"MaxConcurrentRuns": 5}
        self.wire.settings["Connections"] = {"Connections": ["b", "a"]}
        self.coordination = coordination_in_process()
        self.wire.before = self._end_at_the_first_poll
        self.request = FIVE_MINUTES
        self.clock = HastyClock(0)

    def _end_at_the_first_poll(self, operation: str, given: dict[str, str]) -> None:
        if operation == "GetJobRun":
            self.wire.runs[JOB][-1]["JobRunState"] = "SUCCEEDED"

    @property
    def context(self) -> RunContext:
        return RunContext(self.wire.client, LOG, self.coordination, self.clock)

    def choose(
        self,
        flow_run: str,
        names: list[str] | None,
        shortage: WhenNothingFits = WhenNothingFits.WAIT,
    ) -> Ranking:
        self.request = replace(FIVE_MINUTES, flow_run_id=flow_run)
        policy = ShortagePolicy(shortage)
        requested = PlacementRequest(
            self.request, names, "best_fit", STRATEGIES["best_fit"], seed=0, shortage=policy
        )
        return select(self.context, requested)

    def start(self, order: Ranking) -> Attempt:
        return run_job(self.context, self.request, order)


@pytest.fixture
def runs() -> Runs:
    return Runs()


def test_of_the_next_run_the_job_is_read_under_its_lock_alone(runs: Runs) -> None:
    for flow_run, reads in (("first", 2), ("second", 1)):
        assert runs.start(runs.choose(flow_run, ["a"])).succeeded
        assert runs.wire.counted()["GetJob"] == reads
    assert runs.wire.orders == [["a", "b"]], "writing the order changes no setting"


def test_connections_that_nobody_named_are_those_of_the_job_as_it_is_now(runs: Runs) -> None:
    runs.choose("first", ["a"])
    runs.wire.counted()
    runs.wire.settings["Connections"] = {"Connections": ["a"]}
    assert runs.choose("second", None).connection_names == ["a"]
    assert runs.wire.counted()["GetJob"] == 1


def test_a_job_that_was_changed_since_it_was_read_is_chosen_for_again(runs: Runs) -> None:
    """It takes more addresses than were reserved."""
    runs.choose("first", ["a"])
    runs.wire.settings["NumberOfWorkers"] = 90
    order = runs.choose("second", ["a"])
    with pytest.raises(OrderStale, match="changed since its settings were read"):
        runs.start(order)
    assert "StartJobRun" not in runs.wire.counted()
    assert not [r for r in runs.coordination.claims.reservations() if "second" in r.run_key]
    order = runs.choose("second", ["a"])
    assert order.needed_addresses == 92
    assert runs.start(order).succeeded


def test_a_job_that_was_given_fewer_workers_is_not_refused_for_those_that_it_had(
    runs: Runs,
) -> None:
    """As the refusal advises, and Retry follows within a minute."""
    runs.wire.settings["NumberOfWorkers"] = 300
    with pytest.raises(NoPlace, match=r"302 addresses.*fewer workers"):
        runs.choose("run", ["a"], WhenNothingFits.FAIL)
    runs.wire.settings["NumberOfWorkers"] = 100
    order = runs.choose("run", ["a"], WhenNothingFits.FAIL)
    assert order.needed_addresses == 102
    assert runs.start(order).succeeded


def test_a_job_that_was_given_fewer_workers_does_not_wait_for_those_that_it_had(
    runs: Runs,
) -> None:
    runs.wire.settings["NumberOfWorkers"] = 230
    runs.wire.client.get_job(JOB)
    runs.wire.settings["NumberOfWorkers"] = 100
    assert runs.choose("run", ["a"]).needed_addresses == 102
    assert runs.clock.skipped == 0
    assert runs.wire.counted()["GetJob"] == 2


@pytest.mark.parametrize(
    ("role", "account_id"),
    [
        ("arn:aws:iam::111122223333:role/glue/orders", "111122223333"),
        ("arn:aws-cn:iam::111122223333:role/orders", "111122223333"),
        ("orders", ""),
    ],
)
def test_a_job_that_was_read_tells_the_account_by_its_role(role: str, account_id: str) -> None:
    """Glue shows a role as it was given, by its ARN or its name."""
    wire = AddressesOnTheWire(lambda: 200)
    wire.settings["Role"] = role
    assert wire.client.account_id == ""
    masked = wire.client.masked_for(RunRequest(JOB, "flow-run", datetime.now(UTC)))
    masked.get_job(JOB)
    assert wire.client.account_id == account_id
