"""The choices of one attempt, on the flow run's page and for automations."""

from __future__ import annotations

from flinkglue.glue.attempts import Attempt
from flinkglue.glue.models import Ranking
from flinkglue.glue.placement.placement_request import PlacementRequest
from flinkglue.glue.placement.shortage import NoPlace
from flinkglue.prefect.beside import Beside
from flinkglue.prefect.giving_way import give_way
from flinkglue.prefect.pages.glue_events import emit_choice, emit_misconfigured
from flinkglue.prefect.pages.glue_run import show_ranking
from flinkglue.prefect.run_log import run_log

WRITTEN_WITHIN_SECONDS = 5.0


class Choices:
    """Shows each choice and emits its event, but not again when a refusal leads to the same.

    The run does not wait for its page: that is written beside the start, and later where flow runs
    are just beginning. Leaving the block waits for it, but only for a few seconds: a server that
    asks for a pause holds up no end of a run.

    Args:
        requested: What is chosen for, and what was to be done when nothing fits.
        moved_from: The attempt before it, if its failure moved the run.
    """

    def __init__(self, requested: PlacementRequest, moved_from: Attempt | None) -> None:
        self._request = requested.run
        self._shortage = requested.shortage
        self._moved_from = moved_from
        self._last: Ranking | None = None
        self._beside = Beside("The page of a choice")

    def __enter__(self) -> Choices:
        return self

    def __exit__(self, raised: type[BaseException] | None, *about: object) -> None:
        is_interrupted = raised is not None and not issubclass(raised, Exception)
        is_written = self._beside.end(0 if is_interrupted else WRITTEN_WITHIN_SECONDS)
        if not is_written and not is_interrupted:
            run_log().warning("The choice may be missing on the page: the server is slow to answer")

    def show(self, ranking: Ranking) -> None:
        """The record is written again when any of its numbers differs, the event for the order."""
        last, self._last = self._last, ranking
        if ranking != last:
            self._beside.begin(self._write, ranking)
        if last is None:
            emit_misconfigured(ranking)
        if last is None or ranking.connection_names != last.connection_names:
            emit_choice(ranking, self._request, self._moved_from)

    def _write(self, ranking: Ranking) -> None:
        give_way(self._beside.pause)
        show_ranking(ranking, self._request, self._shortage)

    def show_refused(self, no_place: NoPlace) -> None:
        """The record of a choice that could not be made; no run is started with it."""
        show_ranking(no_place.ranking, self._request, self._shortage, no_place.reason)
        emit_misconfigured(no_place.ranking)
