"""Glue's answers about runs, given to a real boto3 client in place of the network."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config

from flinkglue.clock import Clock
from flinkglue.glue.client import GlueClient
from flinkglue.glue.coordination.claims import Claims, Reservation
from flinkglue.glue.models import Group, JobRun, RankedConnection, Ranking
from flinkglue.glue.run_request import RunRequest

SESSION = boto3.Session("key", "secret", region_name="eu-west-1")
STARTED = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


class Refused(Exception):
    """Answered with an error."""

    def __init__(self, status: int, code: str, message: str = "no") -> None:
        self.status = status
        self.code = code
        self.message = message


class RunsOnTheWire:
    """The runs of some jobs. `unlisted` are those that GetJobRuns does not show yet.

    `most_a_page`: a page may have fewer runs than were asked for.

    Args:
        clock: The client's.
        **settings: What GetJob answers of each job.
    """

    def __init__(self, clock: Clock | None = None, **settings: Any) -> None:
        self.settings = settings
        self.orders: list[list[str]] = []
        self.runs: dict[str, list[dict[str, Any]]] = {}
        self.unlisted: set[str] = set()
        self.most_a_page = 200
        self.calls: list[str] = []
        self.before: Callable[[str, dict[str, Any]], None] = lambda operation, given: None
        once = Config(retries={"total_max_attempts": 1}, max_pool_connections=1)
        glue = SESSION.client("glue", config=once)
        glue.meta.events.register("before-send.glue", self._send)
        self.ec2, logs = SESSION.client("ec2"), SESSION.client("logs")
        self.client = GlueClient(glue, glue, self.ec2, logs, clock=clock)

    def start(
        self, job_name: str, *, at: float = 0.0, arguments: dict[str, str] | None = None
    ) -> JobRun:
        """A run, as StartJobRun leaves it."""
        runs = self.runs.setdefault(job_name, [])
        run = {
            "Id": f"jr_{job_name}_{len(runs)}",
            "JobName": job_name,
            "JobRunState": "STARTING",
            "StartedOn": STARTED + at,
            "Arguments": arguments or {},
        }
        runs.append(run)
        return JobRun.from_response({**run, "StartedOn": datetime.fromtimestamp(STARTED + at, UTC)})

    def took(
        self, job_name: str, seconds: float, *, at: float = -1e6, starting: float = 0.0, **more: Any
    ) -> None:
        """A run of earlier that succeeded after so many seconds."""
        runs = self.runs.setdefault(job_name, [])
        runs.append(
            {
                "Id": f"jr_{job_name}_{len(runs)}",
                "JobName": job_name,
                "JobRunState": "SUCCEEDED",
                "StartedOn": STARTED + at,
                "CompletedOn": STARTED + at + seconds,
                "ExecutionTime": int(seconds - starting),
                **more,
            }
        )

    def turn(self, run: JobRun, state: str) -> None:
        """From now on the run has this state."""
        self._run(run.job_name, run.job_run_id)["JobRunState"] = state

    def counted(self) -> dict[str, int]:
        """The calls since the last count, by operation."""
        calls, self.calls = self.calls, []
        return {name: calls.count(name) for name in sorted(set(calls))}

    def _run(self, job_name: str, job_run_id: str) -> dict[str, Any]:
        return next(run for run in self.runs[job_name] if run["Id"] == job_run_id)

    def _stop(self, job_name: str, job_run_ids: list[str]) -> dict[str, Any]:
        """Only a run that is neither at its end nor on its way there can be stopped."""
        stopped, errors = [], []
        for job_run_id in job_run_ids:
            run = self._run(job_name, job_run_id)
            about = {"JobName": job_name, "JobRunId": job_run_id}
            if run["JobRunState"] in ("STARTING", "RUNNING", "WAITING"):
                run["JobRunState"] = "STOPPING"
                stopped.append(about)
            else:
                detail = {"ErrorCode": "InvalidInputException", "ErrorMessage": "not running"}
                errors.append({**about, "ErrorDetail": detail})
        return {"SuccessfulSubmissions": stopped, "Errors": errors}

    def _send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        target = request.headers["X-Amz-Target"]
        operation = (target if isinstance(target, str) else target.decode()).split(".")[1]
        given = json.loads(request.body)
        self.calls.append(operation)
        try:
            answer, status = self._answer(operation, given), 200
            self.before(operation, given)
        except Refused as refused:
            answer, status = {"__type": refused.code, "Message": refused.message}, refused.status
        content = json.dumps(answer).encode()
        headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": "r-1"}
        raw = io.BytesIO(content)
        raw.stream = lambda: iter([content])  # type: ignore[attr-defined]
        return AWSResponse(request.url, status, headers, raw)

    def _answer(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        """What Glue has seen when the call arrives; `before` happens before it is answered."""
        if operation == "GetJobRun":
            run = self._run(given["JobName"], given["RunId"])
            seen = dict(run)
            if run["JobRunState"] == "STOPPING":
                run["JobRunState"] = "STOPPED"
            return {"JobRun": seen}
        if operation == "BatchStopJobRun":
            return self._stop(given["JobName"], given["JobRunIds"])
        if operation == "GetJob":
            return {"Job": {"Name": given["JobName"], **self.settings}}
        if operation == "UpdateJob":
            self.settings["Connections"] = given["JobUpdate"]["Connections"]
            self.orders.append(self.settings["Connections"]["Connections"])
            return {"JobName": given["JobName"]}
        if operation == "StartJobRun":
            run = self.start(given["JobName"], arguments=given["Arguments"])
            return {"JobRunId": run.job_run_id}
        assert operation == "GetJobRuns"
        newest_first = sorted(
            self.runs.get(given["JobName"], []),
            key=lambda run: float(run["StartedOn"]),
            reverse=True,
        )
        listed = [dict(run) for run in newest_first if run["Id"] not in self.unlisted]
        begin = int(given.get("NextToken", 0))
        end = begin + min(int(given["MaxResults"]), self.most_a_page)
        page = {"JobRuns": listed[begin:end]}
        return {**page, "NextToken": str(end)} if end < len(listed) else page


def ranking(*names: str) -> Ranking:
    """An order of connections that all hold the run."""
    connections = tuple(
        RankedConnection(
            n, name, f"subnet-{name}", "zone", "10.0.0.0/24", 250, Group.GOOD, False, None
        )
        for n, name in enumerate(names, 1)
    )
    return Ranking("preferred", 0, 3, connections)


def reserved(claims: Claims, request: RunRequest, order: Ranking) -> Ranking:
    """The same order, with addresses reserved for the run."""
    reservation = Reservation(request.key, request.job_name, "a", "subnet-a", "zone", 3)
    reservation_id = claims.reserve(reservation).reservation_id
    now = datetime.now(UTC)
    return replace(order, reserved_at=now, listed_at=now, reservation_id=reservation_id)
