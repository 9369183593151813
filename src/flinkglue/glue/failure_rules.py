"""A person's own rules for failures, which go before the table. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from flinkglue.glue.failure_table import FailureClass

MATCHED_CHARACTERS = 10_000
"""So much of a message is matched: a script's message has no end of its own."""

_CLASSES = {
    "fail_over": FailureClass.FAIL_OVER,
    "wait": FailureClass.WAIT,
    "stop": FailureClass.STOP,
}


class FailureRule(BaseModel):
    """What to do with a run whose error message matches."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pattern: Annotated[str, Field(min_length=1, max_length=500)] = Field(
        title="Pattern",
        description="A regular expression, looked for anywhere in the run's error message, "
        "ignoring case. For example: connection reset by peer",
    )
    action: Literal["fail_over", "wait", "stop"] = Field(
        title="Action",
        description="fail_over: try another connection at once. wait: try again after the pause. "
        "stop: make no other attempt.",
    )
    advice: str = Field(default="", title="Advice", description="What to show with such a failure.")

    @field_validator("pattern")
    @classmethod
    def _is_regular_expression(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return pattern

    @property
    def failure_class(self) -> FailureClass:
        """The action as the table has it."""
        return _CLASSES[self.action]

    def matches(self, message: str) -> bool:
        """Whether the rule is about this message."""
        found = re.search(self.pattern, message[:MATCHED_CHARACTERS], re.IGNORECASE | re.DOTALL)
        return found is not None


def first_match(rules: Sequence[FailureRule], message: str) -> FailureRule | None:
    """The first rule that is about the message."""
    return next((rule for rule in rules if rule.matches(message)), None)
