"""What --quick says of a worker, or of what it is measured with, that fails meanwhile."""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import inf
from types import SimpleNamespace
from typing import Any, cast

import boto3
import httpx
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError

from benchmarks.runs import ALONE, THIRTY, Measured, Running, about, measure_all, summary, table
from benchmarks.stands.run_bursts import Burst
from benchmarks.stands.run_stand import CONNECTIONS, Stand
from benchmarks.stands.systems import Ended, System, Triggered
from localcloud.client import CloudRefused

BURSTS = (Burst(ALONE, give_up_seconds=1), Burst(THIRTY, one_job=True, give_up_seconds=1))
WARM_UP = 1
JOB = {
    "Role": "role",
    "Command": {"Name": "glueetl"},
    "GlueVersion": "5.0",
    "WorkerType": "G.1X",
    "NumberOfWorkers": 2,
    "ExecutionProperty": {"MaxConcurrentRuns": 60},
    "Connections": {"Connections": [*CONNECTIONS]},
}
CONNECTION = {"PhysicalConnectionRequirements": {"SubnetId": "subnet-1"}}


class Worker:
    """Its server takes so many flow runs, and then answers nothing more."""

    worker_pid = server_pid = os.getpid()

    def __init__(self, name: str, takes: float = inf, *, stops: bool = True) -> None:
        self.name = name
        self._takes = takes
        self._stops = stops

    def trigger(self, job: str, order: tuple[str, ...], give_up_at: float = inf) -> Triggered:
        self._takes -= 1
        if self._takes < 0:
            raise httpx.ConnectError("gone")
        return Triggered("its-id", time.time(), order, refused=0)

    def ended(self, run_ids: list[str], give_up_at: float) -> dict[str, Ended]:
        return {}

    @contextmanager
    def running(self) -> Iterator[System]:
        yield self
        if not self._stops:
            raise TimeoutError("it does not stop")


class Aws:
    """Answers so many requests; its clients are real."""

    def __init__(self, answers: float = inf, *, refuses: bool = False) -> None:
        self._answers = answers
        self._refuses = refuses
        session = boto3.Session("key", "secret", region_name="us-east-1")
        once = Config(retries={"total_max_attempts": 1})
        self.glue, self.ec2 = (session.client(each, config=once) for each in ("glue", "ec2"))
        for client in (self.glue, self.ec2):
            client.meta.events.register("before-send", self._send)

    def stand(self) -> Stand:
        nothing = SimpleNamespace(fault=self._fault, glue_timing=self._fault, requests=self._none)
        return cast(
            Any,
            SimpleNamespace(glue=self.glue, ec2=self.ec2, cloud=nothing, make_jobs=self._jobs),
        )

    def _send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        self._answers -= 1
        if self._answers < 0:
            raise EndpointConnectionError(endpoint_url=request.url)
        is_glue = "glue" in request.url
        answer = {"Job": JOB, "Connection": CONNECTION, "message": "no"}
        content = json.dumps(answer).encode() if is_glue else b"<DescribeSubnetsResponse/>"
        raw = io.BytesIO(content)
        raw.stream = lambda: iter([content])  # type: ignore[attr-defined]
        return AWSResponse(request.url, 400 if self._refuses else 200, {}, cast(Any, raw))

    def _fault(self, *_: Any, **settings: Any) -> None:
        if self._answers <= 0:
            raise CloudRefused("the local cloud failed")

    def _none(self, since: float) -> list[Any]:
        return []

    def _jobs(self, count: int, concurrent_runs: int, prefix: str) -> list[str]:
        return [f"{prefix}-{number}" for number in range(count)]


def measured(aws: Aws, *workers: Worker, bursts: Sequence[Burst] = BURSTS) -> Measured:
    systems: dict[str, Running] = {each.name: each.running for each in workers}
    return measure_all(aws.stand(), systems, bursts, give_up_at=time.monotonic() + 100)


@pytest.mark.parametrize(
    ("takes", "missing"),
    [(0, BURSTS), (WARM_UP + ALONE + 10, BURSTS[1:])],
)
def test_the_flow_runs_of_bursts_that_a_failing_worker_left_are_lost(
    takes: int, missing: tuple[Burst, ...]
) -> None:
    found = measured(Aws(), Worker("thread", takes), Worker("process"))
    assert [(o.worker, o.burst) for o in found.outcomes] == [
        *(("thread", burst) for burst in BURSTS if burst not in missing),
        *(("process", burst) for burst in BURSTS),
    ]
    last_line = summary(found.outcomes, found.unmeasured)
    assert last_line["worker"] == "thread"
    assert last_line["start_30_s"] is None
    assert last_line["lost"] == ALONE + THIRTY  # those that were measured never ended
    assert last_line["failed"] == [
        f"thread, {burst.name}: ConnectError('gone')" for burst in missing
    ]


def test_a_worker_that_fails_after_all_was_measured_has_failed() -> None:
    found = measured(Aws(), Worker("thread", stops=False), bursts=BURSTS[:1])
    last_line = summary(found.outcomes, found.unmeasured)
    assert (len(found.outcomes), last_line["lost"]) == (1, ALONE)
    assert last_line["failed"] == ["thread: TimeoutError('it does not stop')"]


@pytest.mark.parametrize(
    ("aws", "why"),
    [
        (Aws(0), "CloudRefused"),
        (Aws(2), "EndpointConnectionError"),
        (Aws(refuses=True), "ClientError"),
    ],
)
def test_an_aws_that_fails_leaves_a_last_line(aws: Aws, why: str) -> None:
    found = measured(aws, Worker("thread"))
    last_line = summary(found.outcomes, found.unmeasured)
    assert (last_line["worker"], last_line["lost"]) == ("thread", ALONE + THIRTY)
    assert all(f": {why}(" in each for each in cast(list[str], last_line["failed"]))
    assert json.loads(json.dumps(last_line))["start_s"] is None
    assert [*table(found.outcomes, found.floor)]
    if not found.floors:
        assert "floor (the calls alone): not measured" in about(found.floor, "sqlite", [])[0]


def test_the_whole_benchmark_ends_with_a_failure() -> None:
    with pytest.raises(httpx.ConnectError):
        measure_all(Aws().stand(), {"thread": Worker("thread", 0).running}, BURSTS)
