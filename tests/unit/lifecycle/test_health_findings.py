"""What a watch says of jobs in words: unhealthy ones, and those that it could not read."""

from __future__ import annotations

from flinkglue.lifecycle.health.finding import Finding, findings_in_words
from flinkglue.lifecycle.health.judgement import Degraded, Healthy
from flinkglue.markdown import NOTHING

WELL = Finding("orders", Healthy("a1"))
LOOPING = Finding("billing", Degraded("b1", "crash loop: 5 restarts within 600 s"))
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


def test_a_job_that_was_brought_back_is_so_although_it_was_degraded() -> None:
    again = Finding("billing", Degraded("b1", "it ended as FAILED"), relaunched_as="b2")
    assert again.condition == "re-launched"
    assert findings_in_words([again]) == "1 job, none unhealthy"
