"""Marks that a start is on its way.

GetJobRuns may show a run some seconds after it was started. So who finds no run cannot distinguish
a start that never happened from one that happened an instant ago, in a process that was killed
since. Therefore a start is marked right before it is made. A mark of this key means: search again
for half a minute. No mark means: what is not listed is not there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

SEARCHED_FOR_SECONDS = 30.0
"""How long a run whose start is in doubt is searched for before it is held not to be there."""

MARKED_FOR_SECONDS = 30 * 24 * 3600.0
"""How long a mark is kept that nobody ends. It counts all that time: what is removed too soon may
stand for a start that is on its way, and whoever finds it searches for half a minute, however old
it is by anybody's clock."""


@dataclass(frozen=True)
class StartMark:
    """That a run of this key is being started. `is_new`: by whoever got this answer."""

    mark_id: str
    run_key: str
    is_new: bool = False


class StartMarks(Protocol):
    """The marks of all flow runs. Those that nobody ends are removed after weeks."""

    def begin(self, run_key: str) -> StartMark:
        """Mark that the run is started now; the mark that is there already, if there is one.

        Raises:
            CallFailed: It is not known whether it is marked; nothing must be started.
        """

    def end(self, mark: StartMark) -> None:
        """Remove this very mark: the run is listed, or surely was not started."""

    def live(self, flow_run_id: str) -> list[StartMark]:
        """The marks of one flow run's starts."""
