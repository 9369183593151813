"""Which connections a failure speaks against."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flinkglue.glue.attempts import Attempt, RetryPolicy
from flinkglue.glue.failures.blame import blamed_connections
from flinkglue.glue.failures.rule import FailureClass
from flinkglue.glue.models import Group, JobRun, RankedConnection, Ranking
from flinkglue.glue.run.outcome import attempt_of

FULL = "Number of IP addresses on subnet is 0"
ZONE_DOWN = "Could not find subnet for AZ"
NOWHERE = "Resource unavailable"
NO_INGRESS = "At least one security group must open all ingress ports."
NO_GATEWAY = (
    "VPC S3 endpoint validation failed for SubnetId: {}. Could not find S3 endpoint or NAT gateway"
)


def ranked(name: str, subnet_id: str | None, zone: str | None) -> RankedConnection:
    return RankedConnection(1, name, subnet_id, zone, None, 9, Group.GOOD, False, None)


RANKING = Ranking(
    "capacity",
    0,
    2,
    (
        ranked("a1", "subnet-a1", "za"),
        ranked("b", "subnet-b", "zb"),
        ranked("a2", "subnet-a2", "za"),
        ranked("a1-too", "subnet-a1", "za"),
        ranked("kafka", None, None),
    ),
)


def failed(message: str, expected_name: str | None = "a1", state: str = "FAILED") -> Attempt:
    arguments = {"--flinkglue-connection": expected_name} if expected_name else {}
    run = JobRun("nightly", "jr_1", state, error_message=message, arguments=arguments)
    return attempt_of(run, 1, RANKING, adopted=False)


def blamed(attempt: Attempt) -> list[str]:
    assert attempt.failure is not None
    found = blamed_connections(RANKING, attempt.failure, attempt.connection_name)
    return [connection.connection_name for connection in found]


@pytest.mark.parametrize(
    ("message", "connection_name", "names"),
    [
        (NOWHERE, "a1", ["a1", "a2", "a1-too"]),
        (FULL, "a1", ["a1", "a1-too"]),
        (NO_INGRESS, "a1", ["a1"]),
        (f"{FULL}: subnet-b", "b", ["b"]),
        (f"{FULL}: subnet-a1", "a1", ["a1", "a1-too"]),
        (NO_GATEWAY.format("subnet-a2"), "a2", ["a2"]),
        (f"{ZONE_DOWN} zb", "b", ["b"]),
        (f"{ZONE_DOWN} za", "a1", ["a1", "a2", "a1-too"]),
    ],
)
def test_what_the_message_names_is_blamed_and_else_what_was_expected(
    message: str, connection_name: str, names: list[str]
) -> None:
    attempt = failed(message)
    assert attempt.connection_name == connection_name
    assert blamed(attempt) == names
    assert [attempt.connection_name, *attempt.also_blamed] == names


def test_after_a_zone_is_lost_this_flow_run_tries_the_whole_zone_last() -> None:
    """Its other subnets still look as good as before."""
    policy = RetryPolicy(retries=2, delay_seconds=30)
    assert policy.failed_connections([failed(NOWHERE)]) == ["a2", "a1-too", "a1"]
    assert policy.delay_after([failed(NOWHERE)]) == 0


@pytest.mark.parametrize("message", [f"{FULL}: subnet-of-another", f"{ZONE_DOWN} zz"])
def test_nobody_is_blamed_for_a_subnet_or_zone_that_is_none_of_the_connections(
    message: str,
) -> None:
    """The job has connections that the flow does not order, and Glue took one of them."""
    attempt = failed(message)
    assert attempt.connection_name is None
    assert blamed(attempt) == []


def test_of_connections_that_share_the_full_subnet_the_expected_one_carried_the_run() -> None:
    attempt = failed(f"{FULL}: subnet-a1", expected_name="a1-too")
    assert attempt.connection_name == "a1-too"
    assert blamed(attempt) == ["a1-too", "a1"]


@pytest.mark.parametrize("expected_name", ["kafka", None])
def test_without_an_expected_subnet_nobody_is_blamed_for_what_names_none(
    expected_name: str | None,
) -> None:
    assert blamed(failed(NOWHERE, expected_name)) == []


@pytest.mark.parametrize(
    ("message", "state"),
    [
        ("RuntimeError: subnet-b is not what was asked for", "FAILED"),
        ("Exceeded maximum concurrent compute capacity", "FAILED"),
        (f"{FULL}: subnet-b", "STOPPED"),
    ],
)
def test_what_another_connection_would_not_help_speaks_against_none(
    message: str, state: str
) -> None:
    attempt = failed(message, state=state)
    assert attempt.connection_name == "a1"
    assert blamed(attempt) == []


def test_a_missing_resource_moves_only_a_run_that_has_a_subnet() -> None:
    """Also a run that another process started: its argument tells which connection was expected."""

    def judged(ranking: Ranking | None, expected_name: str | None) -> FailureClass:
        arguments = {"--flinkglue-connection": expected_name} if expected_name else {}
        run = JobRun("nightly", "jr_1", "FAILED", error_message=NOWHERE, arguments=arguments)
        failure = attempt_of(run, 1, ranking, adopted=ranking is None).failure
        assert failure is not None
        return failure.failure_class

    outside = Ranking("random", 0, 2, (ranked("kafka", None, None),))
    unread = Ranking("random", 0, 2, (replace(ranked("denied", None, None), unread=True),))
    assert judged(RANKING, "a1") is FailureClass.FAIL_OVER
    assert judged(outside, None) is FailureClass.WAIT
    assert judged(unread, "denied") is FailureClass.FAIL_OVER
    assert judged(None, "a1") is FailureClass.FAIL_OVER
    assert judged(None, None) is FailureClass.WAIT
