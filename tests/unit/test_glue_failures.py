"""What to do after a failure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flinkglue.errors import CallFailed, Conflict, PermissionDenied, Throttled
from flinkglue.glue.failures import RULES, FailureClass, Rule, classify, classify_call, subnet_in


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.text)
def test_every_row_is_reached_by_its_recorded_sample(rule: Rule) -> None:
    lowered = rule.sample.lower()
    assert next(row for row in RULES if row.text.lower() in lowered) is rule
    failure = classify("FAILED", rule.sample)
    assert failure.failure_class is rule.failure_class
    assert failure.evidence == rule.sample
    assert failure.advice == rule.advice


def test_a_zone_is_blamed_only_for_what_none_of_its_subnets_can_give() -> None:
    blaming = {rule.text for rule in RULES if classify("FAILED", rule.sample).blames_zone}
    assert blaming == {"Could not find subnet for AZ", "Resource unavailable"}


@pytest.mark.parametrize("state", ["STOPPED", "TIMEOUT", "EXPIRED"])
def test_some_ends_are_never_repeated_whatever_the_message(state: str) -> None:
    failure = classify(state, "Number of IP addresses on subnet is 0: subnet-1")
    assert failure.failure_class is FailureClass.STOP


@pytest.mark.parametrize("message", [None, "", "NameError: name 'x' is not defined"])
def test_an_unknown_failure_stops(message: str | None) -> None:
    assert classify("FAILED", message).failure_class is FailureClass.STOP


@given(state=st.text(), message=st.none() | st.text())
def test_classification_never_raises(state: str, message: str | None) -> None:
    assert classify(state, message).failure_class in FailureClass
    assert subnet_in(message) is None or str(subnet_in(message)).startswith("subnet-")


def test_the_subnet_that_a_message_blames_is_found() -> None:
    assert subnet_in(RULES[0].sample) == "subnet-0a1b2c3d"
    assert subnet_in("Resource unavailable") is None


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Throttled("AWS Glue", "GetJob", "job x", "Rate exceeded"), FailureClass.WAIT),
        (Conflict("AWS Glue", "StartJobRun", "job x", "Concurrent runs"), FailureClass.WAIT),
        (PermissionDenied("AWS Glue", "GetJob", "job x", "no"), FailureClass.STOP),
        (
            CallFailed("AWS Glue", "StartJobRun", "job x", "Number of IP addresses on subnet is 0"),
            FailureClass.FAIL_OVER,
        ),
    ],
)
def test_a_refused_call_is_judged_too(error: CallFailed, expected: FailureClass) -> None:
    assert classify_call(error).failure_class is expected
