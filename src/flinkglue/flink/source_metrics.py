"""The metrics by which sources say how far behind they are. Pure.

The names are Flink's standard ones for connectors (FLIP-33), and one of the Kafka consumer for
connectors that are older:
https://nightlies.apache.org/flink/flink-docs-stable/docs/ops/metrics/#source-metrics
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any

from flinkglue.lifecycle.models.source_lag import SourceLag

_PENDING = "pendingRecords"
_KAFKA_PENDING = "records-lag-max"  # of the partition that is furthest behind
_EVENT_TIME = ("currentEmitEventTimeLag", "currentFetchEventTimeLag", "watermarkLag")
"""In milliseconds, the most telling first."""
_LAGS = (_PENDING, _KAFKA_PENDING, *_EVENT_TIME)

Totals = Mapping[str, Mapping[str, float]]
"""By the id of a metric: what it is over all subtasks, by aggregation (``max``, ``sum``)."""


def source_vertices(answer: Mapping[str, Any]) -> list[str]:
    """The vertices without an input, of ``/jobs/{id}``."""
    nodes = (answer.get("plan") or {}).get("nodes") or ()
    return [str(node["id"]) for node in nodes if not node.get("inputs")]


def lag_metrics(ids: Iterable[str]) -> list[str]:
    """Those of a vertex's metrics that say how far its sources are behind."""
    return [each for each in ids if each.rpartition(".")[2] in _LAGS]


def totals_of(answer: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """From ``…/vertices/{id}/subtasks/metrics``; what is no number is left out."""
    found: dict[str, dict[str, float]] = {}
    for each in answer:
        values = {name: float(value) for name, value in each.items() if name in ("max", "sum")}
        found[str(each["id"])] = {name: value for name, value in values.items() if isfinite(value)}
    return found


def lag_of(sources: Iterable[Totals]) -> SourceLag:
    """The lag of a job whose source vertices report this."""
    pending, at_least, seconds = list[float](), False, list[float]()
    for operator in _by_operator(sources):
        if _PENDING in operator:
            pending.append(operator[_PENDING].get("sum", -1))
        elif _KAFKA_PENDING in operator:
            pending.append(operator[_KAFKA_PENDING].get("sum", -1))
            at_least = True
        lags = (operator.get(name, {}).get("max", -1) for name in _EVENT_TIME)
        seconds += [lag / 1000 for lag in lags if lag >= 0][:1]  # -1: it has no event times
    records = [each for each in pending if each >= 0]
    return SourceLag(
        pending_records=round(sum(records)) if records else None,
        pending_at_least=at_least and bool(records),
        event_time_seconds=max(seconds, default=None),
    )


def _by_operator(sources: Iterable[Totals]) -> list[dict[str, Mapping[str, float]]]:
    """Operators of one chain are told apart by their names, in which Flink leaves no dot."""
    found: list[dict[str, Mapping[str, float]]] = []
    for totals in sources:
        operators: dict[str, dict[str, Mapping[str, float]]] = defaultdict(dict)
        for metric_id, values in totals.items():
            operators[metric_id.partition(".")[0]][metric_id.rpartition(".")[2]] = values
        found += operators.values()
    return found
