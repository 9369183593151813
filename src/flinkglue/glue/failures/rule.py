"""One row of the table of failures: which message it is about, and what to do then. Pure.

A script can fail with any words, also with those of a service that it called. So a row matches only
where the message *begins* as Glue's own messages do; whatever else stands before such words (an
exception's name, an exit code, ``An error occurred while calling``) is a script's or a launch's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property


class FailureClass(StrEnum):
    """What to do after a failure."""

    FAIL_OVER = "fail over"
    """Try again at once on another connection."""
    WAIT = "wait"
    """Try again later; the connection is not to blame."""
    STOP = "stop"
    """Another run would fail as well; a person has to act."""


class Blame(StrEnum):
    """What is out of service, where another connection may help."""

    CONNECTION = "connection"
    SUBNET = "subnet"
    """All connections with this subnet."""
    ZONE = "zone"
    """All connections whose subnets lie in this zone."""


SUBMISSION = r"JobName:.{1,255}? and JobRunId:\S{1,255} failed to execute with exception "
"""What Glue puts before the reason when it cannot submit a run: no script has begun."""


@dataclass(frozen=True)
class Rule:
    """One row.

    Args:
        pattern: How the message begins, ignoring case, after `SUBMISSION` if it is there.
        blames: What goes on cooldown; only where the class is FAIL_OVER.
        alert: A setting is wrong and stays so until a person mends it, also when another connection
            carries the run meanwhile.
        code: The error code, which Glue puts in brackets behind the reason, or shows alone; without
            a pattern, the reason does not matter.
        in_vpc_only: The row does not count for a run without a subnet.
        final_advice: What a person should do when no attempt follows; empty: `advice` fits as well.
    """

    pattern: str
    failure_class: FailureClass
    advice: str
    sample: str
    blames: Blame = Blame.CONNECTION
    alert: bool = False
    code: str = ""
    in_vpc_only: bool = False
    final_advice: str = ""

    def matches(self, message: str) -> bool:
        return self._regex.match(message) is not None

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        patterns = [f"(?:{SUBMISSION})?(?:{self.pattern})"] if self.pattern else []
        if self.code:  # alone, or in brackets behind the reason why a run was not submitted
            code = rf"{self.code}(?:Exception)?\b"
            patterns += [
                rf"{SUBMISSION}.*\(Service: [^()]*Error Code: {code}",
                rf"(?:Error Code: )?{code}\s*(?:\(Service: |$)",
            ]
        return re.compile("|".join(patterns), re.IGNORECASE | re.DOTALL)
