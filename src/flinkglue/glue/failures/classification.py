"""What to do after a job run failed, by the table in `table`. Pure.

What no row matches is STOP: paying again for an unknown failure needs a person.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from flinkglue.errors import CallFailed, Conflict, InDoubt, ServiceUnavailable, Throttled
from flinkglue.glue.failures.own_rules import FailureRule, Match, first_match
from flinkglue.glue.failures.rule import Blame, FailureClass
from flinkglue.glue.failures.table import RULES
from flinkglue.glue.models import JobRunState


@dataclass(frozen=True)
class Failure:
    """A classified failure; `evidence` is the text it was judged by.

    `blames` says what is out of service, and `subnet_id` and `availability_zone` which one, where
    the text names it. `alert`: a person has to mend a setting. `final_advice` counts when no
    attempt follows and `advice` does not fit then.
    """

    failure_class: FailureClass
    evidence: str
    advice: str
    blames: Blame = Blame.CONNECTION
    alert: bool = False
    subnet_id: str | None = None
    availability_zone: str | None = None
    final_advice: str = ""

    @property
    def names_a_place(self) -> bool:
        return bool(self.subnet_id or self.availability_zone)

    def as_last(self) -> Failure:
        """The same, with the advice that fits when no attempt follows."""
        return replace(self, advice=self.final_advice or self.advice)

    def with_given_up(self, own: Match) -> Failure:
        """The same, and which rules of the flow run were given up."""
        return replace(
            self,
            advice=own.with_given_up(self.advice),
            final_advice=own.with_given_up(self.final_advice or self.advice),
        )


STATES: dict[str, str] = {
    JobRunState.STOPPED: "run the job again, if it was not stopped on purpose",
    JobRunState.TIMEOUT: (
        "raise run_options.timeout_minutes or the job's own time-out, or read in its logs what "
        "takes so long"
    ),
    JobRunState.EXPIRED: (
        "search the job's runs for the one with which Glue continued this streaming run after its "
        "maintenance: it was not found by its key, and runs on without a flow run"
    ),
}
"""Ends that are judged by the state alone: all are STOP."""

NEVER_BY_OWN_RULES = (JobRunState.STOPPED, JobRunState.EXPIRED)
"""Ends that a person chose, or after which Glue's own next run may live: a rule that repeats them
would start a run against a person's will, or a second one beside Glue's."""


def classify(
    state: str, message: str | None, *, in_vpc: bool = True, own_rules: Sequence[FailureRule] = ()
) -> Failure:
    """Judge a run that ended without success.

    Args:
        in_vpc: Whether the job has a connection with a subnet: another one may help then.
        own_rules: The person's, which go first, unless someone stopped the run, or Glue replaced
            it.
    """
    evidence = message or f"the run ended {state} and Glue gave no message"
    own = Match(None) if state in NEVER_BY_OWN_RULES else first_match(own_rules, evidence)
    if own.rule is not None:
        judged = _by_own_rule(own.rule, evidence)
    elif state in STATES:
        judged = Failure(FailureClass.STOP, evidence, STATES[state])
    else:
        judged = _by_text(evidence, in_vpc)
    return judged.with_given_up(own)


def _by_own_rule(rule: FailureRule, evidence: str) -> Failure:
    says = f"the rule {rule.pattern!r} of this flow run says {rule.action}"
    again = rule.failure_class is not FailureClass.STOP
    return Failure(
        rule.failure_class,
        evidence,
        rule.advice or says,
        final_advice=rule.advice or (f"{says}, and no attempt is left" if again else says),
    )


def classify_call(error: CallFailed, own_rules: Sequence[FailureRule] = ()) -> Failure:
    """Judge a call that failed before there was a run."""
    if isinstance(error, Throttled | ServiceUnavailable | Conflict | InDoubt):
        advice = error.advice or "it is retried later"
        final = error.advice or "run the job again later"
        return Failure(FailureClass.WAIT, str(error), advice, final_advice=final)
    own = first_match(own_rules, error.reason)
    if own.rule is not None:
        judged = _by_own_rule(own.rule, str(error))
    else:
        judged = _by_text(error.reason, in_vpc=True)
        judged = replace(judged, evidence=str(error))
        if error.advice:
            judged = replace(judged, advice=error.advice, final_advice=error.advice)
    return judged.with_given_up(own)


def advice_on(message: str) -> str | None:
    """What the table says about a message; None when no row matches."""
    return next((rule.advice for rule in RULES if rule.matches(message)), None)


def subnet_in(message: str) -> str | None:
    """The id of the subnet that a message names, if it names one."""
    found = re.search(r"\bsubnet-[0-9a-zA-Z]+", message)
    return found.group() if found else None


def zone_in(message: str) -> str | None:
    """The availability zone that a message names, if it names one."""
    found = re.search(r"\bsubnet for AZ ([\w-]+)", message)
    return found.group(1) if found else None


def _by_text(text: str, in_vpc: bool) -> Failure:
    for rule in RULES:
        if rule.matches(text) and (in_vpc or not rule.in_vpc_only):
            return Failure(
                rule.failure_class,
                text,
                rule.advice,
                rule.blames,
                rule.alert,
                subnet_in(text),
                zone_in(text),
                rule.final_advice,
            )
    return Failure(
        FailureClass.STOP, text, "the failure is not a known one: read the run's error log"
    )
