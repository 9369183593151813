"""What to do when no subnet holds the whole job. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from flinkglue.errors import JobFailed
from flinkglue.glue.models import Group, Ranking
from flinkglue.glue.placement.demand import PUBLISHED_STRATEGIES


class WhenNothingFits(StrEnum):
    """The choices a person has."""

    WAIT = "wait"
    """Wait for addresses up to a deadline, then run on the best usable connection if there is one.

    The default of the strategies beside the published ones: most shortages are runs that end, or
    that ended a minute ago and whose addresses are not returned yet, and a run with too few nodes
    costs more than the wait.
    """
    USE_BEST = "use_best"
    """Run at once on the best usable connection, with fewer nodes, as the published design does.

    Where that design would start a run to fail, as no connection is usable, it waits like `WAIT`.
    """
    FAIL = "fail"
    """Do not run: for jobs that must not be slower than usual."""


NO_ROOM_ADVICE = (
    "give the job fewer workers, add a connection with a larger subnet, or let it wait or use the "
    "best one available (when_nothing_fits)"
)
"""What a person can do about a run that no subnet has room for."""


def usual_choice(strategy_name: str) -> WhenNothingFits:
    """What is done unless the person says otherwise: the published strategies never wait."""
    if strategy_name in PUBLISHED_STRATEGIES:
        return WhenNothingFits.USE_BEST
    return WhenNothingFits.WAIT


CORRECT_ONE_ADVICE = (
    "correct what is reported for each connection; where EC2 knows none of the subnets, they were "
    "deleted, or the AWS Credentials block is for another account or region"
)
"""What a person can do when no wait would help."""


class NoPlace(JobFailed):
    """No connection can hold the run; nothing was reserved, written or started."""

    def __init__(self, reason: str, ranking: Ranking, advice: str) -> None:
        self.reason = reason
        self.ranking = ranking
        self.advice = advice
        super().__init__(f"{reason}. What to do: {advice}")


def no_place(ranking: Ranking, job_name: str) -> NoPlace:
    """Why no run of the job is started."""
    if not ranking.needs_a_person:
        return NoPlace(no_room_in_words(ranking, job_name), ranking, NO_ROOM_ADVICE)
    problems = "; ".join(
        f"{r.connection_name}: {r.problem}" for r in ranking.connections if r.problem
    )
    reason = f"No connection of job {job_name} can hold a run, however long it waits: "
    return NoPlace(reason + problems, ranking, CORRECT_ONE_ADVICE)


def no_room_in_words(ranking: Ranking, job_name: str) -> str:
    """How much each subnet has, and how much a run of the job takes."""
    subnets = "; ".join(
        f"{r.connection_name} {r.free_addresses}"
        + (f", {r.reserved_addresses} of them reserved" if r.reserved_addresses else "")
        for r in ranking.connections
        if r.free_addresses is not None
    )
    return (
        f"No subnet has the {ranking.needed_addresses} addresses that a run of job "
        f"{job_name} takes (free: {subnets or 'not known'})"
    )


class Decision(StrEnum):
    """What follows from a ranking."""

    START = "start"
    WAIT = "wait"
    FAIL = "fail"


@dataclass(frozen=True)
class ShortagePolicy:
    """What to do when nothing fits, and how long to wait for addresses."""

    when_nothing_fits: WhenNothingFits = WhenNothingFits.WAIT
    wait_seconds: float = 600.0

    def decide(self, ranking: Ranking, waited_seconds: float) -> Decision:
        """What to do with a run for which this is the order now.

        A run that Glue would place on a subnet that holds all of it starts. Where no connection can
        hold a run before somebody corrects one, no wait would help. Otherwise the person's choice
        decides; a run that could not even start is never started, and one for which every
        subnet is too small is not waited for when there is one to use.

        Args:
            waited_seconds: How long this run has waited for addresses.
        """
        if not any(ranked.subnet_id for ranked in ranking.connections):
            return Decision.START  # a run without a subnet takes no addresses
        expected = ranking.expected
        if expected is not None and expected.group is Group.GOOD:
            return Decision.START
        if ranking.needs_a_person or self.when_nothing_fits is WhenNothingFits.FAIL:
            return Decision.FAIL
        may_wait = waited_seconds < self.wait_seconds
        usable = expected is not None and (expected.group is Group.USABLE or expected.unread)
        in_vain = ranking.is_too_large and usable
        if self.when_nothing_fits is WhenNothingFits.WAIT and may_wait and not in_vain:
            return Decision.WAIT
        if usable:
            return Decision.START
        return Decision.WAIT if may_wait else Decision.FAIL
