"""A person's own rules for failures, which go before the table. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, field_validator

from flinkglue.form_schema import FormGroup
from flinkglue.glue.failures.patterns import (
    LONGEST_PATTERN,
    MATCHED_SECONDS,
    TooSlow,
    check_pattern,
    found_in,
)
from flinkglue.glue.failures.rule import FailureClass

MOST_RULES = 20

_CLASSES = {
    "fail_over": FailureClass.FAIL_OVER,
    "wait": FailureClass.WAIT,
    "stop": FailureClass.STOP,
}


class FailureRule(FormGroup):
    """What to do with a run whose error message matches."""

    pattern: Annotated[str, Field(min_length=1, max_length=LONGEST_PATTERN)] = Field(
        description="A regular expression, searched for anywhere in the run's error message, "
        "ignoring case. For example: connection reset by peer. One that takes longer than a "
        "quarter of a second does not count, or stops when its action is stop.",
    )
    action: Literal["fail_over", "wait", "stop"] = Field(
        description="What to do when the pattern matches. fail_over: try another connection "
        "immediately. wait: try again after the pause. stop: make no other attempt.",
    )
    advice: str = Field(default="", description="What to show with such a failure.")

    @field_validator("pattern")
    @classmethod
    def _is_regular_expression(cls, pattern: str) -> str:
        check_pattern(pattern)
        return pattern

    @property
    def failure_class(self) -> FailureClass:
        """The action as the table has it."""
        return _CLASSES[self.action]

    def matches(self, message: str) -> bool:
        """Whether the rule is about this message.

        Raises:
            TooSlow: Its pattern was given up.
        """
        return found_in(self.pattern, message)


FailureRules = Annotated[list[FailureRule], Field(max_length=MOST_RULES)]


@dataclass(frozen=True)
class Match:
    """What the rules say about a message.

    Args:
        rule: The first that is about it, if one is; or a rule that stops and took too long, which
            may be about it.
        given_up: Rules that took too long to match, up to that one.
    """

    rule: FailureRule | None
    given_up: tuple[FailureRule, ...] = ()

    def with_given_up(self, advice: str) -> str:
        """The advice, and which rules were given up."""
        notes = [
            f"the rule {given_up.pattern!r} of this flow run was stopped after "
            f"{MATCHED_SECONDS:g} s and {_consequence(given_up)}: write it without repetitions of "
            "what is repeated already"
            for given_up in self.given_up
        ]
        return "; ".join([advice, *notes])


def first_match(rules: Sequence[FailureRule], message: str) -> Match:
    """The first rule that is about the message.

    One that takes too long is not, unless it stops: another run may be what it forbids.
    """
    given_up: list[FailureRule] = []
    for rule in rules:
        try:
            if rule.matches(message):
                return Match(rule, tuple(given_up))
        except TooSlow:
            given_up.append(rule)
            if rule.failure_class is FailureClass.STOP:
                return Match(rule, tuple(given_up))
    return Match(None, tuple(given_up))


def _consequence(given_up: FailureRule) -> str:
    if given_up.failure_class is FailureClass.STOP:
        return "counts as if it matched, because it stops"
    return "did not count"
