"""A person's own rules for failures, and arguments of any JSON type."""

from __future__ import annotations

import json
import math
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from flinkglue.errors import CallFailed, InvalidInput, Throttled
from flinkglue.glue.attempts import RetryPolicy
from flinkglue.glue.failures.classification import classify, classify_call
from flinkglue.glue.failures.own_rules import FailureRule
from flinkglue.glue.failures.rule import FailureClass
from flinkglue.glue.inputs import argument_values
from flinkglue.glue.models import JobRun
from flinkglue.glue.run.outcome import attempt_of

RESET = FailureRule(pattern="connection reset", action="fail_over", advice="ask the network team")
FULL = "The specified subnet does not have enough free addresses to satisfy the request"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)  # fmt: skip


def test_an_own_rule_goes_before_the_table() -> None:
    """Without it a script's exception is STOP: paying again would not help."""
    message = "Py4JJavaError: An error occurred: java.net.SocketException: Connection Reset by peer"
    assert classify("FAILED", message).failure_class is FailureClass.STOP
    judged = classify("FAILED", message, own_rules=[RESET])
    assert (judged.failure_class, judged.advice) == (FailureClass.FAIL_OVER, RESET.advice)
    stops = FailureRule(pattern="free addresses", action="stop")
    assert classify("FAILED", FULL, own_rules=[stops]).failure_class is FailureClass.STOP


def test_the_first_rule_that_matches_counts_and_without_one_the_table() -> None:
    rules = [FailureRule(pattern="peer$", action="wait"), RESET]
    assert classify("FAILED", "reset by peer", own_rules=rules).failure_class is FailureClass.WAIT
    table = classify("FAILED", FULL)
    assert classify("FAILED", FULL, own_rules=rules) == table


@pytest.mark.parametrize("action", ["fail_over", "wait"])
@pytest.mark.parametrize("state", ["STOPPED", "EXPIRED"])
def test_a_run_that_somebody_stopped_or_glue_replaced_is_never_run_again(
    state: str, action: Literal["fail_over", "wait"]
) -> None:
    """The run with which Glue replaces an expired one may live: a third would be beside it."""
    rule = FailureRule(pattern=".*", action=action)
    assert classify(state, "Resource unavailable", own_rules=[rule]) == classify(
        state, "Resource unavailable"
    )


def test_a_run_that_glue_replaced_is_not_repeated_with_every_failure() -> None:
    policy = RetryPolicy(retries=3, delay_seconds=0, every_failure=True)
    for state, repeated in [("EXPIRED", False), ("FAILED", True)]:
        run = JobRun("job", "jr_1", state, error_message="Maintenance window")
        attempt = attempt_of(run, 1, None, adopted=False)
        assert (policy.again(attempt), policy.may_help(attempt)) == (repeated, repeated)


def test_a_run_that_took_too_long_may_be_run_again_by_a_rule() -> None:
    rule = FailureRule(pattern=".*", action="fail_over")
    assert classify("TIMEOUT", None, own_rules=[rule]).failure_class is FailureClass.FAIL_OVER


def test_a_refused_start_is_judged_by_it_and_a_passing_fault_is_not() -> None:
    rule = FailureRule(pattern="limit", action="fail_over")
    refused = CallFailed("AWS Glue", "StartJobRun", "job", "Network interface limit reached")
    assert classify_call(refused, [rule]).failure_class is FailureClass.FAIL_OVER
    throttled = Throttled("AWS Glue", "StartJobRun", "job", "Rate limit exceeded")
    assert classify_call(throttled, [rule]).failure_class is FailureClass.WAIT


@pytest.mark.parametrize("pattern", ["", "(", "a" * 501, "*", "[z-a]"])
def test_a_pattern_that_is_none_is_refused_by_its_field(pattern: str) -> None:
    with pytest.raises(ValidationError, match="pattern"):
        FailureRule(pattern=pattern, action="wait")


@settings(max_examples=50)
@given(arguments=st.dictionaries(st.text(), JSON))
def test_arguments_reach_the_script_as_text_or_json(arguments: dict[str, Any]) -> None:
    values = argument_values(arguments)
    assert values.keys() == {name for name, value in arguments.items() if value is not None}
    for name, text in values.items():
        given = arguments[name]
        assert text == given if isinstance(given, str) else json.loads(text) == given


def test_switches_are_written_as_glue_wants_them() -> None:
    given = {"--enable-metrics": True, "--workers": 4, "--dates": ["2026-01-01"], "--gone": None}
    assert argument_values(given) == {
        "--enable-metrics": "true",
        "--workers": "4",
        "--dates": '["2026-01-01"]',
    }


@pytest.mark.parametrize("value", [math.inf, math.nan, [math.inf], {"a": {1, 2}}])
def test_what_is_no_json_is_refused_by_its_name(value: Any) -> None:
    with pytest.raises(InvalidInput, match=r"arguments\[--n\]"):
        argument_values({"--n": value})
