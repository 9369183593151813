"""Whether a cluster has slots for a job that takes the place of another. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Slots:
    """The task slots of a cluster.

    Args:
        total: All that its TaskManagers offer now.
        free: Those that no job has.
        of_job: Those of the job that is to be replaced; an upper bound where it is not reported.
        grows: Why there may be more when they are requested; empty: there will not be.
    """

    total: int
    free: int
    of_job: int = 0
    grows: str = ""

    def missing_for(self, needed: int) -> int:
        """How many are missing, as far as is sure, once the job that has some has ended."""
        return max(0, needed - min(self.total, self.free + self.of_job))

    def in_words(self, needed: int) -> str:
        """What is missing, in numbers."""
        there = min(self.total, self.free + self.of_job)
        return (
            f"the new job needs at least {needed} task slots, and there would be {there}: "
            f"{self.free} of {self.total} are free, and stopping the running job frees "
            f"{self.of_job}"
        )
