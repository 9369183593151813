"""The logs of a run that has ended are read to their end, but not for long."""

from __future__ import annotations

import io
import json
import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from flinkglue.glue.client import GlueClient
from flinkglue.glue.log_following import LogFollower
from flinkglue.glue.models import JobRun
from tests.unit.test_glue_reservations import HandClock

LOG = logging.getLogger(__name__)
ENDED = JobRun("job", "jr_1", "FAILED")

Page = tuple[list[str], str]


class Streams:
    """CloudWatch Logs: `page` gives the lines after a token, and the token after them."""

    def __init__(self, page: Callable[[str, str], Page]) -> None:
        self.clock = HandClock()
        self.call_seconds = 0.0
        self.calls: Counter[str] = Counter()
        self._page = page
        session = boto3.Session("key", "secret", region_name="eu-west-1")
        glue, ec2, logs = (session.client(name) for name in ("glue", "ec2", "logs"))
        logs.meta.events.register("before-send.cloudwatch-logs", self._send)
        self.client = GlueClient(glue, glue, ec2, logs)

    def follower(self) -> LogFollower:
        return LogFollower(self.client, LOG, clock=self.clock)

    def _send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        given = json.loads(request.body)
        kind = given["logGroupName"].rpartition("/")[2]
        self.calls[kind] += 1
        self.clock.sleep(self.call_seconds)
        lines, token = self._page(kind, given.get("nextToken", ""))
        events = [{"timestamp": 1, "message": line, "ingestionTime": 1} for line in lines]
        answer = {"events": events, "nextForwardToken": token, "nextBackwardToken": "b"}
        content = json.dumps(answer).encode()
        raw = io.BytesIO(content)
        raw.stream = lambda: iter([content])  # type: ignore[attr-defined]
        headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": "r-1"}
        return AWSResponse(request.url, 200, headers, raw)


def endless(kind: str, token: str) -> Page:
    return [f"line {token}"], token + "x"


def test_an_empty_page_is_not_the_end_while_the_token_moves(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pages = {"": (["first"], "1"), "1": ([], "2"), "2": (["second"], "3"), "3": ([], "3")}
    streams = Streams(lambda kind, token: pages[token] if kind == "output" else ([], token or "0"))
    caplog.set_level(logging.INFO)
    streams.follower().look(ENDED)
    assert [r.getMessage() for r in caplog.records] == ["output: first", "output: second"]


@pytest.mark.parametrize(("call_seconds", "kinds"), [(1.5, 2), (8.0, 1)])
def test_slow_logs_do_not_hold_up_the_next_attempt(
    caplog: pytest.LogCaptureFixture, call_seconds: float, kinds: int
) -> None:
    """A call takes 8 s at most; what is not shown is said to be in CloudWatch."""
    streams = Streams(endless)
    streams.call_seconds = call_seconds
    caplog.set_level(logging.INFO)
    streams.follower().look(ENDED)
    assert len(streams.calls) == kinds
    assert streams.clock.now <= 10
    told = [r.getMessage() for r in caplog.records if "in CloudWatch alone" in r.getMessage()]
    assert [line.partition(":")[0] for line in told] == ["output", "error"]


def test_a_flood_is_not_read_for_ever() -> None:
    streams = Streams(endless)
    streams.follower().look(ENDED)
    assert streams.calls == {"output": 10, "error": 10}
