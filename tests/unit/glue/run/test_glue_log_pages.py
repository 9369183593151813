"""The logs of a run that has ended are read to their end, but not for long."""

from __future__ import annotations

import io
import json
import logging
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config

from flinkglue.glue.attempts import Attempt
from flinkglue.glue.client import GlueClient
from flinkglue.glue.coordination.run_context import RunContext
from flinkglue.glue.log_places import LogPlace, LogTail, located, log_kinds, log_places
from flinkglue.glue.models import JobRun
from flinkglue.glue.run.logs import LogFollower
from flinkglue.glue.run.report import followed_output, run_output
from tests.unit.glue.coordination.test_glue_reservations import HandClock

LOG = logging.getLogger(__name__)
SESSION = boto3.Session("key", "secret", region_name="eu-west-1")  # it keeps the SDK's models
ENDED = JobRun("job", "jr_1", "FAILED")

Page = tuple[list[str], str]
NO_GROUP = {
    "__type": "ResourceNotFoundException",
    "message": "The specified log group does not exist.",
}


def answered(request: AWSPreparedRequest, status: int, content: bytes) -> AWSResponse:
    raw = io.BytesIO(content)
    raw.stream = lambda: iter([content])  # type: ignore[attr-defined]
    headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": "r-1"}
    return AWSResponse(request.url, status, headers, raw)


class Streams:
    """CloudWatch Logs: `page` gives the lines after a token, and the token after them."""

    def __init__(self, page: Callable[[str, str], Page]) -> None:
        self.clock = HandClock()
        self.call_seconds = 0.0
        self.only: set[str] = set()
        self.missing_groups: set[str] = set()
        self.calls: Counter[str] = Counter()
        self.given: list[dict[str, Any]] = []
        self._page = page
        once = Config(retries={"total_max_attempts": 1})
        glue, ec2, logs = (SESSION.client(name, config=once) for name in ("glue", "ec2", "logs"))
        glue.meta.events.register("before-send.glue", self._send_job)
        self.job: dict[str, Any] = {"Name": "job"}
        self.job_refusals: list[str] = []
        self.job_reads = 0
        logs.meta.events.register("before-send.cloudwatch-logs", self._send)
        self.client = GlueClient(glue, glue, ec2, logs)

    def follower(self) -> LogFollower:
        return LogFollower(RunContext(self.client, LOG, clock=self.clock))

    def _send_job(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        self.job_reads += 1
        if self.job_refusals:
            refusal = {"__type": self.job_refusals.pop(0), "Message": "no"}
            return answered(request, 400, json.dumps(refusal).encode())
        return answered(request, 200, json.dumps({"Job": self.job}).encode())

    def _send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        given = json.loads(request.body)
        self.given.append(given)
        kind = given["logGroupName"].rpartition("/")[2]
        self.calls[kind] += 1
        self.clock.sleep(self.call_seconds)
        place = LogPlace(given["logGroupName"], given["logStreamName"])
        if place.log_group_name in self.missing_groups:
            return answered(request, 400, json.dumps(NO_GROUP).encode())
        if self.only and str(place) not in self.only:
            content = json.dumps({"__type": "ResourceNotFoundException", "message": "no"}).encode()
            return answered(request, 400, content)
        lines, token = self._page(kind, given.get("nextToken", ""))
        events = [{"timestamp": 1, "message": line, "ingestionTime": 1} for line in lines]
        answer = {"events": events, "nextForwardToken": token, "nextBackwardToken": token}
        return answered(request, 200, json.dumps(answer).encode())


def endless(kind: str, token: str) -> Page:
    return [f"line {token}"], token + "x"


def test_an_empty_page_is_not_the_end_while_the_token_moves(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pages = {"": (["first"], "1"), "1": ([], "2"), "2": (["second"], "3"), "3": ([], "3")}
    streams = Streams(lambda kind, token: pages[token] if kind == "output" else ([], token or "0"))
    caplog.set_level(logging.INFO)
    streams.follower().on_observed(ENDED)
    assert [r.getMessage() for r in caplog.records] == ["output: first", "output: second"]


@pytest.mark.parametrize(("call_seconds", "kinds"), [(1.5, 2), (8.0, 1)])
def test_slow_logs_do_not_hold_up_the_next_attempt(
    caplog: pytest.LogCaptureFixture, call_seconds: float, kinds: int
) -> None:
    """A call takes 8 s at most; what is not shown is said to be in CloudWatch."""
    streams = Streams(endless)
    streams.call_seconds = call_seconds
    caplog.set_level(logging.INFO)
    streams.follower().on_observed(ENDED)
    assert len(streams.calls) == kinds
    assert streams.clock.at <= 10
    told = [r.getMessage() for r in caplog.records if "is in CloudWatch only" in r.getMessage()]
    assert [line.partition(":")[0] for line in told] == ["output", "error"]


RUNNING = JobRun("job", "jr_1", "RUNNING")
OWN_GROUP = {"Name": "job", "DefaultArguments": {"--custom-logGroup-prefix": "/team"}}


def groups(streams: Streams) -> set[str]:
    return {each["logGroupName"] for each in streams.given}


def test_a_job_that_cannot_be_read_at_the_first_look_is_read_at_the_next() -> None:
    """Until then nothing is read: the usual groups may have a stream of this name as well."""
    streams = Streams(endless)
    streams.job = OWN_GROUP
    streams.job_refusals = ["ThrottlingException"]
    follower = streams.follower()
    follower.on_observed(RUNNING)
    assert groups(streams) == set()
    for _ in range(2):
        streams.clock.sleep(10)
        follower.on_observed(RUNNING)
    assert groups(streams) == {"/team/output", "/team/error"}
    assert streams.job_reads == 2, "it is read once when it can be"


def test_the_last_look_at_a_run_goes_by_its_own_arguments_when_its_job_cannot_be_read() -> None:
    streams = Streams(endless)
    streams.job_refusals = ["ThrottlingException"]
    streams.follower().on_observed(ENDED)
    assert groups(streams) == {"/aws-glue/jobs/output", "/aws-glue/jobs/error"}


def test_a_job_that_may_not_be_read_is_asked_for_once() -> None:
    """Each refusal is a line in CloudTrail; the run's own arguments are gone by."""
    streams = Streams(endless)
    streams.job_refusals = ["AccessDeniedException"] * 5
    follower = streams.follower()
    for _ in range(3):
        follower.on_observed(RUNNING)
        streams.clock.sleep(10)
    assert streams.job_reads == 1
    assert groups(streams) == {"/aws-glue/jobs/output", "/aws-glue/jobs/error"}


def test_a_stream_is_read_the_less_often_the_longer_it_is_silent() -> None:
    """Within an hour of silence a stream is read once a minute, and as before when it grows."""
    log = {"output": [f"line {n}" for n in range(3)], "error": []}

    def page(kind: str, token: str) -> Page:
        read = int(token or 0)
        return log[kind][read:], str(len(log[kind]))

    streams = Streams(page)
    follower = streams.follower()

    def reads(seconds: int) -> Counter[str]:
        before = streams.calls.copy()
        for _ in range(seconds):
            follower.on_observed(RUNNING)
            streams.clock.sleep(1)
        return streams.calls - before

    assert reads(1)["output"] == 1
    assert reads(3600)["output"] in range(59, 66)
    growing = []
    for _ in range(12):
        log["output"] += ["line after line"]
        growing.append(reads(10)["output"])
    assert growing[-6:] == [1] * 6
    log["output"] += ["the last"]
    follower.on_observed(ENDED)
    shown = follower.with_tails(Attempt(1, ENDED, None, None)).log_tails
    assert shown["output"].lines == log["output"]
    assert shown["error"].lines == []


@pytest.mark.parametrize(("runs", "reads_a_minute"), [(1, 12), (5, 60), (50, 60), (150, 33)])
def test_the_logs_of_many_runs_are_read_the_less_often_the_more_there_are(
    runs: int, reads_a_minute: int
) -> None:
    """All of them grow all the time; in the first pause each stream is read once at most."""
    streams, minutes, step = Streams(endless), 20, 10
    running = [replace(RUNNING, job_run_id=f"jr_{n}") for n in range(runs)]
    with ExitStack() as waiting:
        for run in running:
            waiting.enter_context(streams.client.run_watch.waiting(run, streams.clock))
        followers = [streams.follower() for _ in running]
        for run, follower in zip(running, followers, strict=True):
            follower.on_started(run)
        for _ in range(minutes * 60 // step):
            for run, follower in zip(running, followers, strict=True):
                follower.on_observed(run)
            streams.clock.sleep(step)
    assert 0.5 * reads_a_minute <= streams.calls.total() / minutes <= reads_a_minute


def test_the_logs_of_runs_that_come_together_are_read_as_rarely_as_their_number_says() -> None:
    """Not as often as the few that there were when the first of them began would be."""
    streams, wait_together = Streams(endless), ExitStack()
    followers: list[tuple[JobRun, LogFollower]] = []
    for n in range(200):
        run = replace(RUNNING, job_run_id=f"jr_{n}")
        wait_together.enter_context(streams.client.run_watch.waiting(run, streams.clock))
        followers.append((run, streams.follower()))
        followers[-1][1].on_started(run)
        streams.clock.sleep(1)
    for _ in range(6):
        for run, follower in followers:
            follower.on_observed(run)
        streams.clock.sleep(30)
    assert streams.calls.total() / 3 <= 24, "200 runs, two streams each, every 1,000 s"
    streams.clock.sleep(1000)
    for run, follower in followers:
        follower.on_observed(run)
    assert streams.calls == {"output": 200, "error": 200}


STARTED = JobRun("job", "jr_1", "STARTING", log_arguments={"--custom-logGroup-prefix": "/team"})


def test_what_a_start_has_read_of_the_job_is_not_read_again() -> None:
    """Nor are its logs before the script can have written anything."""
    streams = Streams(endless)
    follower = streams.follower()
    follower.on_started(STARTED)
    for _ in range(10):
        follower.on_observed(RUNNING)
        streams.clock.sleep(1)
    assert not streams.calls
    follower.on_observed(RUNNING)
    assert groups(streams) == {"/team/output", "/team/error"}
    assert streams.job_reads == 0


def test_logs_that_were_not_read_to_their_end_are_not_taken_for_the_whole() -> None:
    streams = Streams(endless)
    follower = streams.follower()
    follower.on_observed(ENDED)
    attempt = Attempt(1, ENDED, None, None)
    assert follower.with_tails(attempt).log_tails == {}
    assert followed_output(follower.with_tails(attempt)) is None


def test_what_was_shown_to_its_end_is_on_the_page_without_another_call() -> None:
    pages = {"output": ["done"], "error": ["Traceback"]}
    streams = Streams(lambda kind, token: ([] if token else pages[kind], "end"))
    follower = streams.follower()
    follower.on_observed(ENDED)
    calls = streams.calls.total()
    shown = followed_output(follower.with_tails(Attempt(1, ENDED, None, None)))
    assert shown is not None
    assert (shown.lines("output"), shown.lines("error")) == (["done"], ["Traceback"])
    assert {str(tail.place) for tail in shown.tails.values()} == {
        "/aws-glue/jobs/output jr_1",
        "/aws-glue/jobs/error jr_1",
    }
    assert streams.calls.total() == calls


def test_a_flood_is_not_read_for_ever() -> None:
    streams = Streams(endless)
    streams.follower().on_observed(ENDED)
    assert streams.calls == {"output": 10, "error": 10}


def empty_first(pages: int) -> Callable[[str, str], Page]:
    """CloudWatch answers that it found nothing yet, before it shows what there is."""

    def page(kind: str, token: str) -> Page:
        number = int(token or 0)
        if number == pages:
            return [f"a line of {kind}"], str(number + 1)
        return [], str(min(number + 1, pages + 1))

    return page


@pytest.mark.parametrize("pages", [0, 1, 7, 40])
def test_the_end_of_a_log_is_found_behind_empty_pages(pages: int) -> None:
    streams = Streams(empty_first(pages))
    tail = streams.client.log_tail(ENDED, "output", 50)
    assert tail == LogTail(["a line of output"], LogPlace("/aws-glue/jobs/output", "jr_1"))


@pytest.mark.parametrize("state", ["RUNNING", "FAILED"])
@pytest.mark.parametrize("pages", [0, 1, 7, 40])
def test_the_follower_reads_on_over_empty_pages_in_one_look(
    caplog: pytest.LogCaptureFixture, state: str, pages: int
) -> None:
    caplog.set_level(logging.INFO)
    Streams(empty_first(pages)).follower().on_observed(JobRun("job", "jr_1", state))
    told = [r.getMessage() for r in caplog.records]
    assert told == ["output: a line of output", "error: a line of error"]


def test_short_pages_are_put_together_up_to_what_is_shown() -> None:
    pages = {"": (["4", "5"], "b"), "b": (["2", "3"], "a"), "a": (["1"], "0"), "0": ([], "0")}
    streams = Streams(lambda kind, token: pages[token])
    assert streams.client.log_tail(ENDED, "output", 4).lines == ["2", "3", "4", "5"]
    assert streams.client.log_tail(ENDED, "output", 9).lines == [
        "1",
        "2",
        "3",
        "4",
        "5",
    ]


def test_a_log_group_that_does_not_exist_is_read_once_for_all_its_streams() -> None:
    """A run's stream may have one of two names; the group of a prefix comes first."""
    streams = Streams(empty_first(0))
    streams.missing_groups = {"/team/output", "/aws-glue/jobs/error"}
    streams.only = {"/aws-glue/jobs/output jr_1"}
    streams.job = OWN_GROUP
    streams.follower().on_observed(ENDED)
    assert [each["logGroupName"] for each in streams.given] == [
        *["/team/output", "/aws-glue/jobs/output", "/aws-glue/jobs/output"],
        *["/team/error", "/team/error", "/aws-glue/jobs/error"],
    ]
    streams.given.clear()
    streams.missing_groups |= {"/aws-glue/jobs/output"}
    assert streams.client.log_tail(ENDED, "output", 50) == LogTail([], None)
    assert len(streams.given) == 1


PREFIXES = {"--custom-logGroup-prefix": "/team/etl/", "--custom-logStream-prefix": "nightly"}
CONTINUOUS = {
    "--enable-continuous-cloudwatch-log": "true",
    "--continuous-log-logGroup": "/team/glue",
}


def run_of(version: str = "5.0", **more: Any) -> JobRun:
    answer = {"Id": "jr_1", "JobName": "job", "JobRunState": "FAILED", "GlueVersion": version}
    return JobRun.from_response({**answer, **more})


@pytest.mark.parametrize(
    ("run", "kind", "place"),
    [
        (run_of(), "output", "/aws-glue/jobs/output jr_1"),
        (run_of(), "error", "/aws-glue/jobs/error jr_1-driver"),
        (
            run_of(LogGroupName="/aws-glue/python-jobs"),
            "output",
            "/aws-glue/python-jobs/output jr_1",
        ),
        (run_of(LogGroupName="/aws-glue/jobs-r-c/"), "output", "/aws-glue/jobs-r-c/output jr_1"),
        (run_of(Arguments=PREFIXES), "output", "/team/etl/output nightly-driver"),
        (run_of(Arguments=PREFIXES), "error", "/team/etl/error jr_1"),
        (run_of("4.0", Arguments=PREFIXES), "output", "/aws-glue/jobs/output jr_1"),
        (run_of("4.0", Arguments=CONTINUOUS), "driver", "/team/glue jr_1-driver"),
        (
            run_of("4.0", Arguments=CONTINUOUS, SecurityConfiguration="conf"),
            "driver",
            "/team/glue-conf jr_1-driver",
        ),
        (
            run_of("4.0", Arguments={"--enable-continuous-cloudwatch-log": "TRUE"}),
            "driver",
            "/aws-glue/jobs/logs-v2 jr_1-driver",
        ),
        (
            run_of("3.0", Arguments={**CONTINUOUS, "--continuous-log-logStreamPrefix": "p/"}),
            "driver",
            "/team/glue p/jr_1-driver",
        ),
    ],
)
def test_a_log_is_read_where_the_arguments_say(
    caplog: pytest.LogCaptureFixture, run: JobRun, kind: str, place: str
) -> None:
    """By both ways, at the end and while it runs, and the links lead there, too."""
    assert place in map(str, log_places(run, kind))
    streams = Streams(empty_first(1))
    streams.only = {place}
    found = streams.client.log_tail(run, kind, 50)
    assert (str(found.place), len(found.lines)) == (place, 1)
    link = streams.client.console.log_stream(found.place) if found.place else None
    assert link is not None
    assert place.split(" ")[1].replace("/", "$252F") in link
    caplog.set_level(logging.INFO)
    streams.follower().on_observed(run)
    assert any(r.getMessage().startswith(f"{kind}: a line of") for r in caplog.records)


def test_a_stream_that_runs_share_is_read_for_the_time_of_the_run() -> None:
    """The prefix stands in place of the run's id, so older runs have written there, too."""
    began, ended = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 1, tzinfo=UTC)
    run = run_of(Arguments=PREFIXES, StartedOn=began, CompletedOn=ended)
    streams = Streams(empty_first(0))
    streams.client.log_tail(run, "output", 50)
    given = streams.given[0]
    assert began.timestamp() * 1000 - 60_000 < given["startTime"] < began.timestamp() * 1000
    assert given["endTime"] > ended.timestamp() * 1000
    streams.client.log_tail(run_of(StartedOn=began), "output", 50)
    assert "startTime" not in streams.given[-1]


def test_what_the_job_says_counts_where_the_run_says_nothing() -> None:
    job = {"DefaultArguments": PREFIXES, "NonOverridableArguments": {}}
    assert str(log_places(located(run_of(), job), "output")[0]) == "/team/etl/output nightly-driver"
    own = run_of(Arguments={"--custom-logGroup-prefix": "/own"})
    assert str(log_places(located(own, job), "output")[0]) == "/own/output nightly-driver"
    fixed = {"NonOverridableArguments": {"--custom-logGroup-prefix": "/fixed"}}
    assert log_places(located(own, fixed), "output")[0].log_group_name == "/fixed/output"


def test_the_job_is_read_once_for_its_logs() -> None:
    streams = Streams(empty_first(0))
    streams.job["DefaultArguments"] = PREFIXES
    follower = streams.follower()
    for _ in range(3):
        follower.on_observed(run_of())
        streams.clock.sleep(60)
    assert {given["logStreamName"] for given in streams.given} == {"nightly-driver"}


def test_the_continuous_log_is_one_kind_more_until_glue_4() -> None:
    assert log_kinds(run_of("4.0", Arguments=CONTINUOUS)) == ("output", "error", "driver")
    assert log_kinds(run_of("5.0", Arguments=CONTINUOUS)) == ("output", "error")
    assert log_kinds(run_of("0.9", Arguments=CONTINUOUS)) == ("output", "error", "driver")
    assert log_kinds(run_of("4.0")) == ("output", "error")


def test_no_stream_and_no_words_are_told_apart() -> None:
    run, nothing = run_of(), LogTail([], None)
    place = LogPlace("/aws-glue/jobs/output", "jr_1")
    silent = run_output(run, {"output": LogTail([], place)})
    assert silent.note == "The script wrote nothing to /aws-glue/jobs/output jr_1."
    other = run_output(run, {"output": nothing, "error": LogTail(["x"], place)})
    assert other.note.startswith("The script wrote nothing: of its logs there is only")
    absent = run_output(run, {"output": nothing, "error": nothing})
    assert "no log stream of this run in /aws-glue/jobs/output" in absent.note
    assert "logs:CreateLogStream" in absent.note
    assert run_output(run, {"output": LogTail(["x"], place)}).note == ""
