"""What earlier watches counted of a job: one watch of a minute shows no slow crash loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from flinkglue.lifecycle.health.judgement import Sample
from flinkglue.lifecycle.journal.journal import JournalStore
from flinkglue.lifecycle.models import JobView

_MOST_SAMPLES = 60
_COUNTERS = ("restarts", "failed_checkpoints", "completed_checkpoints")


def with_history(
    store: JournalStore, job_name: str, samples: Sequence[Sample], keep_seconds: float
) -> list[Sample]:
    """The samples of a watch, after those of earlier watches of the same Flink job id.

    Earlier ones have the counters alone. The newest of all is remembered for the watches to come.

    Args:
        samples: This watch's, the oldest first; at least one.
        keep_seconds: Older ones are forgotten.
    """
    last = samples[-1]
    if last.view is None or last.view.is_terminal:
        return list(samples)
    document = store.read("samples", job_name) or {}
    known = document.get("counted", []) if document.get("job_id") == last.view.job_id else []
    # So far apart that they stay few; the counters only rise, so that nothing is lost between them.
    apart = keep_seconds / _MOST_SAMPLES
    slots: dict[float, list[float]] = {}
    for row in known:
        if last.at - keep_seconds <= row[0] < samples[0].at:
            slots.setdefault(row[0] // apart, row)
    earlier = list(slots.values())
    newest = [last.at, *(getattr(last.view, counter) for counter in _COUNTERS)]
    store.write(
        "samples",
        job_name,
        {"job_id": last.view.job_id, "counted": [*earlier, newest]},
    )
    return [*(_sample(row, last.view) for row in earlier), *samples]


def _sample(row: Sequence[float], view: JobView) -> Sample:
    at, *counted = row
    counters = {name: int(value) for name, value in zip(_COUNTERS, counted, strict=True)}
    return Sample(at, replace(view, state="", **counters))  # type: ignore[arg-type]
