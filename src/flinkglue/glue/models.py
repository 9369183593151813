"""What AWS Glue and EC2 answer, as values. Pure: no I/O, no AWS SDK."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from ipaddress import ip_network
from typing import Any

from flinkglue.glue.log_arguments import log_arguments

RESERVED_BY_AWS = 5
"""The first four addresses and the last one of each subnet.

https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
"""

DEFAULT_LOG_GROUP = "/aws-glue/jobs"
"""Where Glue logs unless the run says otherwise (Python shell jobs and encrypted ones do)."""

RUN_KEY_ARGUMENT = "--flinkglue-run-key"
"""The job argument that marks a run with the key of the flow run that started it."""

CONNECTION_ARGUMENT = "--flinkglue-connection"
"""The job argument that says which connection was expected to carry the run."""

WAIT_FOR_END_ARGUMENT = "--flinkglue-wait-for-end"
"""The job argument of a run that its flow run leaves to itself; it is ``false``."""

OWN_ARGUMENTS = (RUN_KEY_ARGUMENT, CONNECTION_ARGUMENT, WAIT_FOR_END_ARGUMENT)
"""What this project adds to a run's arguments, and all that it reads of them."""


def addresses_in(cidr_block: str) -> int:
    """How many addresses of a subnet can be used."""
    return ip_network(cidr_block).num_addresses - RESERVED_BY_AWS


@dataclass(frozen=True)
class CoolDown:
    """A connection that failed lately; `evidence` is what Glue said.

    `since` and `until` are when it failed and when it is not left alone any more, where that is
    known; `failed_at` is when it failed in the last day, the last time last, at most twenty times.
    """

    connection_name: str
    subnet_id: str
    evidence: str
    since: datetime | None = field(default=None, compare=False)
    until: datetime | None = field(default=None, compare=False)
    failed_at: tuple[datetime, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class ZoneState:
    """An availability zone as EC2 describes it; `messages` say why it is impaired."""

    state: str
    messages: Sequence[str] = ()

    @property
    def is_up(self) -> bool:
        return self.state == "available"


class JobRunState(StrEnum):
    """The states of a job run.

    https://docs.aws.amazon.com/glue/latest/webapi/API_JobRun.html
    """

    STARTING = "STARTING"
    RUNNING = "RUNNING"
    STOPPING = "STOPPING"
    STOPPED = "STOPPED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    TIMEOUT = "TIMEOUT"
    ERROR = "ERROR"
    WAITING = "WAITING"
    EXPIRED = "EXPIRED"


ENDED_STATES = frozenset(
    {
        JobRunState.STOPPED,
        JobRunState.SUCCEEDED,
        JobRunState.FAILED,
        JobRunState.TIMEOUT,
        JobRunState.ERROR,
        JobRunState.EXPIRED,
    }
)
"""The states that never change again. A state that is not known here does not end a wait."""


class Group(StrEnum):
    """How well a connection fits the job, best first."""

    GOOD = "good"
    USABLE = "usable"
    UNFIT = "unfit"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Subnet:
    """A subnet as EC2 describes it; `free_addresses` counts IPv4 addresses."""

    subnet_id: str
    vpc_id: str
    availability_zone: str
    cidr_block: str
    free_addresses: int
    state: str

    @classmethod
    def from_response(cls, subnet: Mapping[str, Any]) -> Subnet:
        """From one item of DescribeSubnets."""
        return cls(
            subnet_id=subnet["SubnetId"],
            vpc_id=subnet.get("VpcId", ""),
            availability_zone=subnet.get("AvailabilityZone", ""),
            cidr_block=subnet.get("CidrBlock", ""),
            free_addresses=int(subnet.get("AvailableIpAddressCount", 0)),
            state=subnet.get("State", ""),
        )


@dataclass(frozen=True)
class Connection:
    """A Glue connection and its subnet, or the problem that kept it from being looked up.

    `availability_zone` and `security_group_ids` are what the connection itself names. `needs_fix`
    tells that the problem is a setting: no run can use the connection until somebody corrects it.
    """

    name: str
    subnet_id: str | None = None
    subnet: Subnet | None = None
    connection_type: str = ""
    status: str = ""
    problem: str | None = None
    missing: bool = False
    needs_fix: bool = False
    availability_zone: str | None = None
    security_group_ids: tuple[str, ...] = ()

    @property
    def unread(self) -> bool:
        """Whether it exists, or may, and its lookup failed: it holds a run or does not."""
        return self.subnet_id is None and not self.connection_type and not self.missing

    @property
    def ready(self) -> bool:
        """Whether Glue can use it; connections without a status, the usual case, are ready."""
        return self.status in ("", "READY")

    @property
    def without_subnet(self) -> bool:
        """Whether it was looked up and names no subnet, as some types of connections do not."""
        return bool(self.connection_type) and self.subnet_id is None


@dataclass(frozen=True)
class RankedConnection:
    """One row of a ranking; `place` counts from 1.

    `free_addresses` is EC2's count, of which `reserved_addresses` are reserved for other runs;
    `cooled_down` tells that the connection failed lately in any flow run. A `missing` connection
    does not exist, so a job cannot have it. `live_runs_in_zone` and `position`, the place in the
    person's order counted from 0, are what some strategies go by. Of an `unread` one nothing is
    known. `needs_fix`: no run can use it, however long one waits.
    """

    place: int
    connection_name: str
    subnet_id: str | None
    availability_zone: str | None
    cidr_block: str | None
    free_addresses: int | None
    group: Group
    failed_before: bool
    problem: str | None
    reserved_addresses: int = 0
    cooled_down: CoolDown | None = None
    missing: bool = False
    live_runs_in_zone: int = 0
    position: int = 0
    unread: bool = False
    needs_fix: bool = False

    @property
    def most_addresses(self) -> int | None:
        """What its subnet can have when it is empty, where that is known."""
        return addresses_in(self.cidr_block) if self.cidr_block else None


@dataclass(frozen=True)
class Ranking:
    """The order in which a job should try its connections, and why.

    `needed_addresses` is what a subnet must have for all of the run, `needed_because` how that
    number came about, and `addresses_to_reserve` what the run may take, where that is more;
    `seed` repeats the order of a strategy that draws. `kept` tells that it is the order of the
    attempt before, and not the strategy's for these numbers. `reserved_at` is when addresses were
    reserved for the run, and `reservation_id` names the record; None and empty when none were.
    """

    strategy: str
    seed: int
    needed_addresses: int
    connections: tuple[RankedConnection, ...]
    needed_because: str = ""
    addresses_to_reserve: int = 0
    kept: bool = False
    reserved_at: datetime | None = field(default=None, compare=False)
    reservation_id: str = field(default="", compare=False)

    @property
    def connection_names(self) -> list[str]:
        return [ranked.connection_name for ranked in self.connections]

    @property
    def missing_names(self) -> list[str]:
        """Those that do not exist, and so cannot be written into the job."""
        return [ranked.connection_name for ranked in self.connections if ranked.missing]

    @property
    def in_vpc(self) -> bool:
        """Whether a run has, or may have, a connection with a subnet."""
        return any(ranked.subnet_id or ranked.unread for ranked in self.connections)

    @property
    def expected(self) -> RankedConnection | None:
        """The connection Glue should take: the first in order whose subnet has a free address.

        One that could not be read may have them. Glue names the chosen connection nowhere.
        """
        return next((r for r in self.connections if r.free_addresses or r.unread), None)

    @property
    def needs_a_person(self) -> bool:
        """Whether no connection can hold a run before somebody corrects one."""
        with_network = [r for r in self.connections if r.subnet_id or r.unread]
        return bool(with_network) and all(r.needs_fix for r in with_network)

    @property
    def is_too_large(self) -> bool:
        """Whether no subnet has as many addresses as the run takes, even when it is empty."""
        able = [r for r in self.connections if (r.subnet_id or r.unread) and not r.needs_fix]
        sizes = [r.most_addresses for r in able]
        return bool(sizes) and all(size and size < self.needed_addresses for size in sizes)


def own_arguments(arguments: Mapping[str, str]) -> dict[str, str]:
    """Those of a run's arguments that this project added."""
    return {name: arguments[name] for name in OWN_ARGUMENTS if name in arguments}


@dataclass(frozen=True)
class JobRun:
    """A job run. `state` is Glue's own string, which may be newer than JobRunState.

    `arguments` are those of this project alone: Glue shows the others, secrets among them, in plain
    text. `log_arguments` are those that say where its logs lie (`log_places`).
    """

    job_name: str
    job_run_id: str
    state: str
    state_detail: str | None = None
    error_message: str | None = None
    started_on: datetime | None = None
    completed_on: datetime | None = None
    execution_seconds: int = 0
    dpu_seconds: float | None = None
    max_capacity: float | None = None
    worker_type: str | None = None
    number_of_workers: int | None = None
    log_group_name: str = DEFAULT_LOG_GROUP
    security_configuration: str | None = None
    glue_version: str | None = None
    log_arguments: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    arguments: Mapping[str, str] = field(default_factory=dict, repr=False)
    previous_run_id: str | None = None

    @classmethod
    def from_response(cls, run: Mapping[str, Any]) -> JobRun:
        """From the JobRun structure of GetJobRun and GetJobRuns."""
        return cls(
            job_name=run.get("JobName", ""),
            job_run_id=run["Id"],
            state=run.get("JobRunState", ""),
            state_detail=run.get("StateDetail"),
            error_message=run.get("ErrorMessage"),
            started_on=run.get("StartedOn"),
            completed_on=run.get("CompletedOn"),
            execution_seconds=run.get("ExecutionTime") or 0,
            dpu_seconds=run.get("DPUSeconds"),
            max_capacity=run.get("MaxCapacity"),
            worker_type=run.get("WorkerType"),
            number_of_workers=run.get("NumberOfWorkers"),
            log_group_name=run.get("LogGroupName") or DEFAULT_LOG_GROUP,
            security_configuration=run.get("SecurityConfiguration"),
            glue_version=run.get("GlueVersion"),
            log_arguments=log_arguments(run.get("Arguments") or {}),
            arguments=own_arguments(run.get("Arguments") or {}),
            previous_run_id=run.get("PreviousRunId"),
        )

    @property
    def key(self) -> str | None:
        """The run key it was started with, if this project started it."""
        return self.arguments.get(RUN_KEY_ARGUMENT)

    @property
    def is_left_to_itself(self) -> bool:
        """Whether the flow run that started it was not to wait for its end."""
        return self.arguments.get(WAIT_FOR_END_ARGUMENT) == "false"

    @property
    def ended(self) -> bool:
        return self.state in ENDED_STATES

    @property
    def succeeded(self) -> bool:
        return self.state == JobRunState.SUCCEEDED

    @property
    def duration_seconds(self) -> float | None:
        """From start to end; None while it runs."""
        if self.started_on is None or self.completed_on is None:
            return None
        return (self.completed_on - self.started_on).total_seconds()

    @property
    def capacity_seconds(self) -> float | None:
        """What is billed, in DPU-seconds; None when Glue does not tell the capacity.

        Glue gives DPUSeconds for auto scaling and flexible execution; otherwise it is the
        capacity times the execution time.
        """
        if self.dpu_seconds is not None:
            return self.dpu_seconds
        if self.max_capacity is None:
            return None
        return self.max_capacity * self.execution_seconds

    def describe(self) -> str:
        """The state in words, with the reason while it waits and the message when it failed."""
        reason = self.error_message or self.state_detail
        return f"{self.state}: {reason}" if reason else self.state
