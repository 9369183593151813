"""What a watch says of jobs in words: unhealthy ones, and those that it could not read."""

from __future__ import annotations

from typing import Any

import pytest

from flinkglue.errors import CallFailed, PermissionDenied, ServiceUnavailable
from flinkglue.lifecycle.health.finding import Finding, NoneObserved, findings_in_words
from flinkglue.lifecycle.health.judgement import Degraded, Healthy
from flinkglue.markdown import NOTHING
from flinkglue.prefect.steps import failed
from flinkglue.tasks.flink_health import judge_flink_jobs

WELL = Finding("orders", Healthy("a1"))
LOOPING = Finding("billing", Degraded("b1", "crash loop: 5 restarts within 600 s"))
REFUSED = PermissionDenied("Flink", "GetJob", "job a1", "not allowed")
GONE = ServiceUnavailable("Flink", "GetJob", "job b1", "no answer")
UNREAD = Finding("rates", not_observed="Flink REST GetJob failed")


def test_a_job_that_could_not_be_read_is_not_called_unhealthy() -> None:
    assert findings_in_words([WELL, LOOPING, UNREAD]) == (
        "1 of 3 jobs unhealthy: billing; 1 of 3 jobs could not be read: rates"
    )
    assert findings_in_words([WELL, UNREAD]) == "1 of 2 jobs could not be read: rates"
    assert findings_in_words([WELL]) == "1 job, none unhealthy"


def test_a_job_that_could_not_be_read_has_a_condition_of_its_own() -> None:
    """Automations can tell it from one that an action is working on."""
    assert UNREAD.condition == "not observed"
    assert UNREAD.is_unwell
    assert UNREAD.row()["why"] == "Flink REST GetJob failed"
    assert UNREAD.row()["observed"] == NOTHING
    spared = Finding("orders", not_judged="UPDATE is under way")
    assert spared.condition == "not judged"
    assert not spared.is_unwell


def test_jobs_that_could_not_be_read_have_one_fault_or_each_its_own() -> None:
    findings = [Finding("a", not_observed=str(REFUSED)), Finding("b", not_observed=str(GONE))]
    each = NoneObserved(findings, [REFUSED, GONE])
    assert each.only_fault is None
    assert str(each) == f"2 of 2 jobs could not be read: a, b. a: {REFUSED}; b: {GONE}"
    same = NoneObserved(findings, [REFUSED, REFUSED])
    assert same.only_fault is REFUSED
    assert str(same) == str(REFUSED)


@pytest.mark.parametrize(
    ("faults", "is_retried"),
    [([REFUSED], False), ([GONE], True), ([REFUSED, GONE], True), ([REFUSED, REFUSED], False)],
)
def test_a_watch_is_repeated_when_one_of_the_faults_passes(
    faults: list[CallFailed], is_retried: bool
) -> None:
    """Whichever job is the first."""
    findings = [Finding(str(each), not_observed=str(each)) for each in faults]
    ended: Any = failed(NoneObserved(findings, faults))
    assert judge_flink_jobs.retry_condition_fn is not None
    assert judge_flink_jobs.retry_condition_fn(judge_flink_jobs, None, ended) is is_retried
    assert judge_flink_jobs.retries == 2


def test_a_job_that_was_brought_back_is_so_although_it_was_degraded() -> None:
    again = Finding("billing", Degraded("b1", "it ended as FAILED"), relaunched_as="b2")
    assert again.condition == "re-launched"
    assert findings_in_words([again]) == "1 job, none unhealthy"
