"""The runs of a job that GetJobRuns lists, and their last reading, shared by waiting threads."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any

from flinkglue.clock import Clock
from flinkglue.glue.api.run_listing import RunReader, bounded
from flinkglue.glue.models import JobRun
from flinkglue.glue.run_request import RunRequest

SERVES_OTHERS_SECONDS = 2.0
"""How long a reading serves other threads that wait for a slot of the same job."""


@dataclass(frozen=True)
class ListedRuns:
    """What GetJobRuns shows: the runs, those that live, and the newest run of each run key."""

    live_ids: frozenset[str]
    by_key: Mapping[str, JobRun]
    ids: frozenset[str] = frozenset()

    @property
    def live(self) -> int:
        """How many live."""
        return len(self.live_ids)

    def and_newer(self, newer: ListedRuns) -> ListedRuns:
        """With what a later reading of the newest runs shows; older ones may have ended."""
        return ListedRuns(
            newer.live_ids | (self.live_ids - newer.ids),
            {**self.by_key, **newer.by_key},
            self.ids | newer.ids,
        )


NO_RUNS = ListedRuns(frozenset(), {})


def list_runs(client: RunReader, request: RunRequest, since: datetime | None = None) -> ListedRuns:
    """Read the job's runs as far back as the request's own run can be.

    Runs that live on behind those pages are not counted; Glue then refuses the start.

    Args:
        since: A later moment, when what is older is known already.

    Raises:
        CallFailed: The runs cannot be read, or there are too many, which says nothing about them.
    """
    ids, live, by_key = set[str](), set[str](), dict[str, JobRun]()
    pages = client.job_run_pages(request.job_name, since or request.since)
    for run in chain.from_iterable(bounded(pages, request.job_name)):
        ids.add(run.job_run_id)
        if not run.ended:
            live.add(run.job_run_id)
        if run.key:
            by_key.setdefault(run.key, run)
    return ListedRuns(frozenset(live), by_key, frozenset(ids))


@dataclass
class SlotReadings:
    """The last reading of each job's slots, which threads that wait for one share."""

    _locks: defaultdict[str, threading.Lock] = field(
        default_factory=lambda: defaultdict(threading.Lock), repr=False
    )
    _last: dict[str, tuple[float, Mapping[str, Any], ListedRuns]] = field(
        default_factory=dict, repr=False
    )

    def read(
        self, client: RunReader, request: RunRequest, clock: Clock
    ) -> tuple[Mapping[str, Any], ListedRuns]:
        """The job and its runs, as they were at most two seconds ago.

        Raises:
            CallFailed: They cannot be read.
        """
        with self._locks[request.job_name]:
            last = self._last.get(request.job_name)
            if last is None or clock.monotonic() - last[0] > SERVES_OTHERS_SECONDS:
                job = client.get_job(request.job_name)
                last = (clock.monotonic(), job, list_runs(client, request))
                self._last[request.job_name] = last
            return last[1:]
