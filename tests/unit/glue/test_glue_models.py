"""What AWS answers, as values, and the links made of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import botocore.session
import pytest
from pydantic import TypeAdapter, ValidationError

from flinkglue.blocks.aws import AwsRegion
from flinkglue.errors import InvalidInput
from flinkglue.glue.console import CONSOLE_DOMAINS, Console
from flinkglue.glue.inputs import JobName, check_arguments, parse_connection_names
from flinkglue.glue.models import (
    ENDED_STATES,
    JobRun,
    JobRunState,
)

MODEL = botocore.session.Session().get_service_model("glue")


def job_run(**more: Any) -> JobRun:
    return JobRun.from_response({"Id": "jr_1", "JobName": "nightly", "JobRunState": "x", **more})


def test_the_job_run_states_are_those_of_the_service_model() -> None:
    assert {state.value for state in JobRunState} == set(MODEL.shape_for("JobRunState").enum)


def test_exactly_the_states_that_never_change_again_are_ends() -> None:
    going_on = {"STARTING", "RUNNING", "STOPPING", "WAITING"}
    assert set(JobRunState) - ENDED_STATES == going_on


def test_a_state_that_aws_adds_later_is_not_an_end() -> None:
    run = job_run(JobRunState="HIBERNATING")
    assert not run.ended
    assert not run.succeeded
    assert run.describe() == "HIBERNATING"


def test_a_run_with_only_an_id_is_read() -> None:
    run = JobRun.from_response({"Id": "jr_1"})
    assert run.duration_seconds is None
    assert run.capacity_seconds is None
    assert run.key is None


def test_the_duration_is_from_start_to_end() -> None:
    started = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
    ended = datetime(2026, 1, 1, 12, 1, 30, tzinfo=UTC)
    assert job_run(StartedOn=started, CompletedOn=ended).duration_seconds == 90
    assert job_run(StartedOn=started).duration_seconds is None


def test_capacity_is_what_glue_metered_else_capacity_times_time() -> None:
    assert job_run(DPUSeconds=12.5, MaxCapacity=2.0, ExecutionTime=60).capacity_seconds == 12.5
    assert job_run(MaxCapacity=2.0, ExecutionTime=60).capacity_seconds == 120


def test_a_message_says_more_than_a_state() -> None:
    assert job_run(JobRunState="FAILED", ErrorMessage="no").describe() == "FAILED: no"
    assert job_run(JobRunState="WAITING", StateDetail="queued").describe() == "WAITING: queued"


def test_arguments_which_may_hold_secrets_are_not_printed() -> None:
    assert "hunter2" not in repr(job_run(Arguments={"--password": "hunter2"}))


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [
        ("aws", "eu-west-1", "eu-west-1.console.aws.amazon.com"),
        ("aws-cn", "cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("aws-us-gov", "us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
        ("aws-eusc", "eusc-de-east-1", "eusc-de-east-1.console.amazonaws-eusc.eu"),
    ],
)
def test_links_lead_to_the_console_of_the_region(partition: str, region: str, host: str) -> None:
    assert partition in CONSOLE_DOMAINS
    link = Console(partition, region).job_run(job_run(JobName="a b/c"))
    expected = f"https://{host}/gluestudio/home?region={region}#/job/a%20b%2Fc/run/jr_1"
    assert link == expected


@pytest.mark.parametrize("partition", ["aws-iso", "aws-iso-b", "aws-of-tomorrow"])
def test_there_is_no_link_into_a_partition_whose_console_is_not_known(partition: str) -> None:
    """Rather than one into another partition."""
    console, run = Console(partition, "us-iso-east-1"), job_run()
    links = [console.job("nightly"), console.job_run(run), console.logs(run), console.vpc("vpc-1")]
    assert links == [None] * 4


def test_the_log_link_is_escaped_as_the_console_does_it() -> None:
    link = Console("aws", "us-east-1").logs(job_run(), "error")
    assert link is not None
    assert link.endswith("log-group/$252Faws-glue$252Fjobs$252Ferror/log-events/jr_1")


@pytest.mark.parametrize("given", ["a,b", " a , b ", ["a", "b"], [" a", "b "]])
def test_connections_are_taken_as_a_list_or_as_the_published_string(given: Any) -> None:
    assert parse_connection_names(given) == ["a", "b"]


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        ([""], "no blank names; the first one is blank"),
        (",a", "no blank names; the first one is blank"),
        ("a,,b", "no blank names; the one after 'a' is blank"),
        ("a,", "the one after 'a' is blank"),
        (["a", " "], "the one after 'a' is blank"),
        (["a,b"], "no comma"),
        (["a" * 256], "at most 255 visible characters"),
        ("a,b,a", "twice: a"),
        (["a", " a"], "twice: a"),
    ],
)
def test_blank_and_double_connections_are_refused(given: Any, allowed: str) -> None:
    with pytest.raises(InvalidInput, match=allowed) as refused:
        parse_connection_names(given)
    assert refused.value.field == "connection_names"


@pytest.mark.parametrize("name", [" nightly", "nightly ", "\tnightly\n"])
def test_blanks_around_the_name_of_a_job_are_not_part_of_it(name: str) -> None:
    assert TypeAdapter(JobName).validate_python(name) == "nightly"


@pytest.mark.parametrize("name", ["", " ", "x" * 256])
def test_what_cannot_be_the_name_of_a_job_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(JobName).validate_python(name)


@pytest.mark.parametrize(
    "name",
    [
        "date",
        "-d",
        "--",
        " --date",
        "--date ",
        "--flinkglue-run-key",
        "--debug",
        "--endpoint",
        "--JOB_NAME",
        "--mode",
    ],
)
def test_arguments_that_glue_or_the_run_key_would_not_survive_are_refused(name: str) -> None:
    check_arguments({"--date": "2026-01-01", "--conf": "spark.ui.enabled=false", "--model": "m"})
    with pytest.raises(InvalidInput) as refused:
        check_arguments({name: "x"})
    assert refused.value.field == "arguments"


def test_an_argument_without_a_value_is_refused_as_the_script_would_take_the_next_for_it() -> None:
    with pytest.raises(InvalidInput, match=r"arguments: '--filter' is not accepted.*with a value"):
        check_arguments({"--filter": "", "--date": "2026-01-01"})
    check_arguments({"--enable-metrics": "", "--filter": " "})


@pytest.mark.parametrize("empty", [None, "", "  ", []])
def test_connection_names_may_be_left_empty_unless_their_order_counts(empty: Any) -> None:
    """A form that was touched and emptied again sends an empty text or list."""
    assert parse_connection_names(empty, "best_fit") is None
    with pytest.raises(InvalidInput, match=r"connection_names: .*for strategy preferred"):
        parse_connection_names(empty, "preferred")


@pytest.mark.parametrize("region", ["", None, "eu-west-1", "us-gov-west-1", "ap-southeast-5"])
def test_a_region_is_one_of_aws_or_empty(region: str | None) -> None:
    assert TypeAdapter(AwsRegion | None).validate_python(region) == region


@pytest.mark.parametrize("region", ["Frankfurt", "eu-west", "eu-west-1\n", " ", "eu-west-1 "])
def test_what_is_no_region_is_refused(region: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(AwsRegion | None).validate_python(region)
