"""What is advised when no attempt follows: nothing that another attempt would do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from flinkglue.errors import CallFailed, Throttled
from flinkglue.glue.attempts import Attempt
from flinkglue.glue.console import Console
from flinkglue.glue.failures.classification import classify, classify_call
from flinkglue.glue.failures.own_rules import FailureRule
from flinkglue.glue.failures.rule import FailureClass, Rule
from flinkglue.glue.failures.table import RULES
from flinkglue.glue.models import JobRun
from flinkglue.glue.run.report import RunOutput, job_run_markdown

PROMISES = re.compile(r"\b(?:is|are|it's) (?:tried|repeated)\b|tried (?:again )?later", re.I)
"""What only a flow run with attempts left may say."""


def attempt(number: int, message: str, connection_name: str) -> Attempt:
    fields = {
        "Id": f"jr_{number}",
        "JobName": "nightly",
        "JobRunState": "FAILED",
        "ErrorMessage": message,
        "StartedOn": datetime(2026, 1, 1, tzinfo=UTC),
    }
    run = JobRun.from_response(fields)
    return Attempt(number, run, connection_name, classify(run.state, message))


def ended(attempts: Sequence[Attempt]) -> list[Attempt]:
    return [*attempts[:-1], attempts[-1].as_last()]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: (rule.pattern or rule.code)[:40])
def test_no_row_promises_another_attempt_when_none_follows(rule: Rule) -> None:
    failure = classify("FAILED", rule.sample).as_last()
    assert not PROMISES.search(failure.advice)
    assert failure.advice


def test_rows_after_which_nothing_is_tried_have_one_advice() -> None:
    """A row about a wrong setting says the same either way."""
    for rule in RULES:
        assert rule.final_advice or not PROMISES.search(rule.advice), rule
        assert not (rule.final_advice and rule.failure_class is FailureClass.STOP), rule


def test_only_the_last_attempt_says_what_a_person_is_to_do() -> None:
    full = "Number of IP addresses on subnet is 0: subnet-a"
    attempts = ended([attempt(1, full, "a"), attempt(2, full, "b")])
    page = job_run_markdown("nightly", attempts, RunOutput(), Console("aws", "us-east-1"))
    first, last = page.split("## Failure of attempt ")[1:]
    assert "another one is tried" in first
    assert "another one is tried" not in last
    assert "What to do: free addresses" in last
    assert "another one is tried" not in attempts[-1].describe()
    assert attempts[-1].to_dict()["advice"] in last
    assert "subnet-a. What to do: free addresses" in attempts[-1].describe()


def test_a_call_that_fails_at_the_end_promises_nothing_either() -> None:
    busy = Throttled("AWS Glue", "StartJobRun", "job nightly", "Rate exceeded")
    assert "retried later" in classify_call(busy).advice
    assert not PROMISES.search(classify_call(busy).as_last().advice)
    full = CallFailed("AWS Glue", "StartJobRun", "job nightly", "InsufficientFreeAddressesInSubnet")
    assert not PROMISES.search(classify_call(full).as_last().advice)


def test_a_rule_of_ones_own_keeps_its_words_and_says_that_no_attempt_is_left() -> None:
    moves = FailureRule(pattern="boom", action="fail_over")
    assert (
        classify("FAILED", "boom", own_rules=[moves])
        .as_last()
        .advice.endswith("and no attempt is left")
    )
    said = FailureRule(pattern="boom", action="fail_over", advice="call the team")
    assert classify("FAILED", "boom", own_rules=[said]).as_last().advice == "call the team"
