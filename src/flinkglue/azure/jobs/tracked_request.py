"""One action on a listed job: requested once, and its answer kept apart from earlier ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flinkglue.azure.arm.run_job import RunJob
from flinkglue.azure.jobs.row_mark import RowMark
from flinkglue.azure.jobs.rows import has_failed, is_in_progress, is_launching, savepoint_of
from flinkglue.azure.models import ArmFlinkJob
from flinkglue.errors import InDoubt
from flinkglue.lifecycle.backend import SavepointRequest
from flinkglue.lifecycle.models import Action, JobView
from flinkglue.lifecycle.state_paths import plain


@dataclass(frozen=True)
class Observation:
    """One observation of a job.

    Args:
        row: ARM's row; None when the list has none.
        view: What the row and Flink show together; None when the job is known to be gone.
        flink_savepoint: The newest savepoint by Flink's own word.
    """

    row: ArmFlinkJob | None
    view: JobView | None
    flink_savepoint: str | None = None

    @property
    def is_busy(self) -> bool:
        """Whether an action on the row has not ended."""
        return self.row is not None and is_in_progress(self.row)

    @property
    def savepoints(self) -> tuple[str, ...]:
        """The newest one by ARM's word and by Flink's, as far as they report one."""
        listed = savepoint_of(self.row) if self.row else None
        return tuple(path for path in (listed, self.flink_savepoint) if path)


class TrackedRequest:
    """One action that is requested once, and again only when it certainly did not arrive.

    Args:
        send: Sends it; raises ``InDoubt`` when it may not have arrived.
        lag_seconds: How long the list may be behind.
        request: What is requested, where it is a savepoint: what there was before, and whether an
            earlier process may have sent it.
    """

    def __init__(
        self,
        action: Action,
        send: Callable[[RunJob], None],
        lag_seconds: float,
        request: SavepointRequest | None = None,
    ) -> None:
        self._action = action
        self._send = send
        self._lag_seconds = lag_seconds
        self._is_marked = request is None or bool(request.mark)
        self._before = RowMark.read(request.mark if request else "")
        self._earlier = set(self._before.paths)
        if request and request.earlier_path:
            self._earlier.add(plain(request.earlier_path))
        self._is_doubtful = request is not None and request.requested_before
        self._sent_at = 0.0 if self._is_doubtful else None
        self._was_in_progress = False
        self._launching: RowMark | None = None
        self._launching_since = 0.0

    @property
    def was_sent(self) -> bool:
        """Whether it may have been requested, here or by an earlier process."""
        return self._sent_at is not None

    def may_show(self, taken: float) -> bool:
        """Whether an answer may not be in the list yet."""
        return self._sent_at is not None and taken < self._sent_at + self._lag_seconds

    def is_new(self, path: str | None) -> bool:
        """Whether a savepoint was not there before this was requested."""
        return path is not None and self.was_sent and plain(path) not in self._earlier

    def new_savepoint(self, observed: Observation) -> str | None:
        """The savepoint that was requested, once it is there."""
        return next(filter(self.is_new, observed.savepoints), None)

    def notice(self, observed: Observation) -> None:
        """Remember that it was seen in progress: what the row says after that is the answer."""
        self._was_in_progress |= self.was_sent and observed.is_busy and self._is_shown(observed.row)

    def has_answered(self, observed: Observation) -> bool:
        """Whether the row shows the action at its end, and not as failed."""
        row = observed.row
        return row is not None and self._is_shown(row) and not (observed.is_busy or has_failed(row))

    def failed(self, observed: Observation, taken: float) -> bool:
        """Whether what was requested has failed, and not what was requested before it."""
        row = observed.row
        if row is None or not (self.was_sent and self._is_shown(row) and has_failed(row)):
            return False
        if self._was_in_progress:
            return True
        if self._is_marked and not RowMark.of(row).says_the_same(self._before):
            return True
        # The same words once more, or nobody wrote down what they were: an earlier answer, as long
        # as the list may lag.
        return not self._is_doubtful and not self.may_show(taken)

    def _is_shown(self, row: ArmFlinkJob | None) -> bool:
        return row is not None and (row.action or "").upper() == self._action.value

    def send(self, observed: Observation, taken: float) -> None:
        """Send it, unless it was sent or something is in progress that will end by itself."""
        if observed.row is None or (
            observed.is_busy and not self._ends_launch(observed.row, taken)
        ):
            return
        if self.was_sent and (self.may_show(taken) or not self._is_doubtful):
            return
        self._before, self._is_marked = RowMark.of(observed.row), True
        self._earlier |= {plain(path) for path in observed.savepoints}
        self._sent_at, self._is_doubtful = taken, False
        try:
            self._send(
                RunJob(self._action, observed.row.job_name or "", run_id=observed.row.run_id)
            )
        except InDoubt:
            self._is_doubtful = True

    def _ends_launch(self, row: ArmFlinkJob, taken: float) -> bool:
        """Whether this is the end of a launch that has not moved for as long as the list may lag.

        ARM may never finish one, and its name is taken as long as it shows. A row that names a job
        is left alone: ARM's own update of it is in progress.
        """
        is_hanging = is_launching(row) and row.job_id is None
        if self._action is not Action.CANCEL or not is_hanging:
            return False
        if self._launching != RowMark.of(row):
            self._launching, self._launching_since = RowMark.of(row), taken
        return taken >= self._launching_since + self._lag_seconds
