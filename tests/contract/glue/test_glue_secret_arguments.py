"""Secret job arguments between the library and the local AWS."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from flinkglue.clock import SystemClock
from flinkglue.errors import FlinkGlueError, InvalidInput, Throttled
from flinkglue.glue.client import GlueClient
from flinkglue.glue.coordination.run_context import RunContext
from flinkglue.glue.run.job_run import run_job
from localcloud.aws.glue.settings import GlueSettings
from tests.contract.aws.aws_cloud import QUICK, AwsCloud
from tests.contract.glue.test_glue_library import FAST, LOG, connected, ranked, request

SECRETS = {"--api-key": "block"}


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[AwsCloud]:
    running = AwsCloud(tmp_path, GlueSettings(**QUICK))
    running.two_connections()
    running.job()
    yield running
    running.close()


@pytest.fixture
def client(cloud: AwsCloud) -> GlueClient:
    return connected(cloud).masked_for(request(secret_arguments=SECRETS))


def told(error: FlinkGlueError) -> str:
    """What a log shows of an exception."""
    return "".join(traceback.format_exception(error))


def test_each_start_gets_the_value_of_its_time(cloud: AwsCloud, client: GlueClient) -> None:
    values = iter(["first-value", "second-value"])

    def read(references: Mapping[str, str]) -> Mapping[str, str]:
        assert references == SECRETS
        return {"--api-key": next(values)}

    for number in (1, 2):
        asked = request(number=number, secret_arguments=SECRETS, arguments={"--date": "today"})
        attempt = run_job(
            RunContext(client, LOG, pace=FAST, read_secrets=read), asked, ranked(client, ["a", "b"])
        )
        assert attempt.run is not None
        assert not attempt.run.arguments.keys() & {"--api-key", "--date"}
        got = cloud.run(attempt.run.job_run_id)["Arguments"]
        assert got["--date"] == "today"
        assert got["--api-key"] == ["first-value", "second-value"][number - 1]


def test_a_secret_that_cannot_be_read_leaves_the_job_as_it_is(
    cloud: AwsCloud, client: GlueClient
) -> None:
    """The block may be gone by the time of a later attempt."""

    def read(references: Mapping[str, str]) -> Mapping[str, str]:
        raise InvalidInput("secret_arguments", "block", "the name of a saved block")

    with pytest.raises(InvalidInput):
        run_job(
            RunContext(client, LOG, read_secrets=read),
            request(secret_arguments=SECRETS),
            ranked(client, ["b", "a"]),
        )
    assert not cloud.requests(operation="UpdateJob")
    assert not cloud.requests(operation="StartJobRun")


def test_a_refusal_that_repeats_the_value_is_told_without_it(
    cloud: AwsCloud, client: GlueClient
) -> None:
    """AWS quotes what breaks one of its constraints."""
    value = "hunter2"  # a name, as the exception shows the lines of this test
    message = f"Value '{{--api-key={value}}}' at 'arguments' failed to satisfy constraint"
    cloud.wire.faults.add("glue:StartJobRun", "throttle", times=1, message=message)
    with pytest.raises(Throttled, match=r"api-key=\*\*\*") as refused:
        client.start_job_run("job", {"--api-key": value})
    assert refused.value.request_id
    assert value not in told(refused.value)


def test_what_another_flow_run_passes_in_the_same_argument_is_not_looked_for(
    cloud: AwsCloud, client: GlueClient
) -> None:
    """A person may have started the job with a word that is in many lines."""
    for run_key, value in (("flow-run-1/1", "hunter2"), ("another/1", "nightly")):
        cloud.fault("fail-next-runs", job_name="job", error_message="nightly: hunter2 is wrong")
        cloud.finished(cloud.start(Arguments={"--flinkglue-run-key": run_key, "--api-key": value}))
    asked = request(secret_arguments=SECRETS)
    [run] = client.find_runs("job", asked.flow_run_id, asked.since)
    assert run.error_message == "nightly: *** is wrong"


def test_looks_that_are_shared_with_others_are_masked_for_who_knows_the_value(
    cloud: AwsCloud,
) -> None:
    """Whoever looks for all knows nothing of the secrets of one."""
    shared = connected(cloud)
    own = shared.masked_for(request(secret_arguments=SECRETS))
    cloud.fault("fail-next-runs", job_name="job", error_message="hunter2 is wrong")
    arguments = {"--flinkglue-run-key": "flow-run-1/1", "--api-key": "hunter2"}
    live = shared.get_job_run("job", cloud.start(Arguments=arguments))
    other = shared.get_job_run("job", cloud.start())
    clock = SystemClock()
    with (
        shared.run_watch.waiting(other, clock),
        own.run_watch.waiting(live, clock) as waiter,
    ):
        own.poll(waiter)
        cloud.finished(live.job_run_id)
        ended = own.poll(waiter)
    assert ended.describe() == "FAILED: *** is wrong"
    assert cloud.requests(operation="GetJobRuns")


def test_the_log_of_a_run_is_masked_by_whoever_reads_it(cloud: AwsCloud) -> None:
    """The process that shows the log need not be the one that started the run."""
    cloud.job("printing", script="import sys; print(*sys.argv); print(*sys.argv, file=sys.stderr)")
    own = {"--flinkglue-run-key": "flow-run-1/1", "--api-key": "hunter2"}
    job_run_id = cloud.start("printing", Arguments=own)
    cloud.finished(job_run_id, job_name="printing")
    run = connected(cloud).get_job_run("printing", job_run_id)
    asked = request(job_name="printing", secret_arguments=SECRETS)
    [line] = connected(cloud).masked_for(asked).log_tail(run, "output", 10).lines
    assert "--api-key ***" in line
    [line], _ = connected(cloud).masked_for(asked).new_log_lines(run, "error", None)
    assert "--api-key ***" in line
