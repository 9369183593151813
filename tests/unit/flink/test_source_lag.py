"""How far a job is behind its sources, from the metrics that a JobManager shows."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from flinkglue.errors import CallFailed
from flinkglue.flink.api.lifecycle_rest import FlinkLifecycleClient
from flinkglue.flink.backend import RestBackend
from flinkglue.flink.jars.sources import JarSource
from flinkglue.flink.timeouts import FlinkTimeouts
from flinkglue.lifecycle.health.finding import Finding
from flinkglue.lifecycle.health.judgement import Healthy
from flinkglue.lifecycle.health.lags import with_lags
from flinkglue.lifecycle.models import JobView, SourceLag
from tests.unit.flink.rest_bench import JOB_ID, errors
from tests.unit.lifecycle.fake_flink_jobs import Clock

Metrics = dict[str, dict[str, float]]
"""Of a vertex: what its subtasks report, by the metric's id, as max and sum."""


class Sources:
    """A JobManager of one job, whose vertices report these metrics; `sink` reads `orders`."""

    def __init__(self, **sources: Metrics) -> None:
        self.sources = sources
        self.requests: list[httpx.Request] = []
        self.instead: httpx.Response | None = None

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        path, job = request.url.path, f"/jobs/{JOB_ID}"
        if path == job:
            nodes: list[dict[str, Any]] = [{"id": each} for each in self.sources]
            nodes.append({"id": "sink", "inputs": [{"num": 0, "id": "orders"}]})
            return httpx.Response(200, json={"jid": JOB_ID, "plan": {"nodes": nodes}})
        if self.instead:
            return self.instead
        vertex = path.removeprefix(f"{job}/vertices/").removesuffix("/subtasks/metrics")
        metrics = self.sources[vertex]
        if "get" not in request.url.params:
            return httpx.Response(200, json=[{"id": each} for each in metrics])
        names = request.url.params["get"].split(",")
        return httpx.Response(200, json=[{"id": each, **metrics[each]} for each in names])

    def backend(self, clock: Clock | None = None) -> RestBackend:
        client = FlinkLifecycleClient(
            "http://flink.test", transport=httpx.MockTransport(self.answer)
        )
        return RestBackend(client, JarSource(), timeouts=FlinkTimeouts(clock=clock or Clock()))

    @property
    def lag(self) -> SourceLag:
        return self.backend().source_lag(JOB_ID)


def each(most: float, total: float | None = None) -> dict[str, float]:
    return {"max": most, "sum": most if total is None else total}


def test_the_lags_of_a_kafka_source_are_read_in_two_calls_for_its_vertex() -> None:
    flink = Sources(
        orders={
            "numRecordsIn": each(7),
            "Source__orders.numRecordsOut": each(7),
            "Source__orders.pendingRecords": each(800, 1200),
            "Source__orders.currentEmitEventTimeLag": each(90_000, 180_000),
            "Source__orders.watermarkLag": each(95_000),
            "Source__orders.KafkaSourceReader.KafkaConsumer.records-lag-max": each(500, 900),
        }
    )
    assert flink.lag == SourceLag(1200, event_time_seconds=90.0)
    assert len(flink.requests) == 3
    assert flink.lag.in_words() == "1,200 records pending, event time lag 2 min"


RECORDED: Metrics = {
    "Source__orders__v1_2__eu.numRecordsOut": {},
    "Source__orders__v1_2__eu.split.1.watermark.currentWatermark": {},
    "Source__orders__v1_2__eu.sourceIdleTime": {},
    "Source__orders__v1_2__eu.pendingRecords": {"max": 600.0, "sum": 600.0},
    "Source__orders__v1_2__eu.currentEmitEventTimeLag": {"max": 90000.0, "sum": 180000.0},
    "Source__orders__v1_2__eu.watermarkLag": {"max": 90161.0, "sum": 180321.0},
    "numRecordsOut": {},
}
"""Of Flink 2.3.0, whose source is called `orders: v1.2, eu` and has two readers."""


def test_what_a_real_flink_answered_is_understood() -> None:
    flink = Sources(orders=RECORDED)
    assert flink.lag == SourceLag(600, event_time_seconds=90.0)
    asked = flink.requests[-1].url.params
    assert asked["agg"] == "max,sum"
    assert "numRecordsOut" not in asked["get"]


def test_a_source_without_event_times_reports_no_age() -> None:
    """Flink says -1 then, of each reader."""
    source = {"Source__numbers.currentEmitEventTimeLag": each(-1, -2)}
    assert Sources(orders=source).lag == SourceLag()
    assert Sources(orders=source).lag.in_words() == "–"


def test_where_nothing_is_emitted_with_a_time_the_next_best_lag_counts() -> None:
    source = {
        "Source__orders.currentEmitEventTimeLag": each(-1),
        "Source__orders.watermarkLag": each(5_500),
    }
    assert Sources(orders=source).lag == SourceLag(event_time_seconds=5.5)


def test_records_of_all_sources_are_added_and_the_oldest_age_counts() -> None:
    lag = Sources(
        orders={
            "Source__orders.pendingRecords": each(10),
            "Source__orders.currentEmitEventTimeLag": each(2_000),
        },
        rates={
            "Source__rates.pendingRecords": each(5),
            "Source__rates.currentEmitEventTimeLag": each(60_000),
        },
    ).lag
    assert lag == SourceLag(15, event_time_seconds=60.0)


def test_an_older_kafka_connector_says_at_least_how_many_are_pending() -> None:
    """It has the worst partition of each subtask alone."""
    source = {"Source__orders.KafkaConsumer.records-lag-max": each(500, 900)}
    lag = Sources(orders=source).lag
    assert lag == SourceLag(900, pending_at_least=True)
    assert lag.in_words() == "at least 900 records pending"


def test_a_consumer_without_partitions_reports_no_number() -> None:
    source: Metrics = {"Source__o.KafkaConsumer.records-lag-max": each(float("-inf"))}
    flink = Sources(orders=source)
    name = next(iter(source))
    answer = [{"id": name, "max": "-Infinity", "sum": "NaN"}]

    def numbers(request: httpx.Request) -> httpx.Response:
        if "get" in request.url.params:
            return httpx.Response(200, json=answer)
        return httpx.Response(200, json=[{"id": name}])

    flink.sources["orders"] = {name: {}}
    client = FlinkLifecycleClient(
        "http://flink.test",
        transport=httpx.MockTransport(
            lambda request: (
                flink.answer(request) if request.url.path.endswith(JOB_ID) else numbers(request)
            )
        ),
    )
    assert client.source_lag(JOB_ID) == SourceLag()


def test_a_gateway_that_keeps_metrics_to_itself_reports_none() -> None:
    flink = Sources(orders={})
    flink.instead = errors(403, "Forbidden")
    assert flink.lag == SourceLag()


def html(status: int) -> httpx.Response:
    """What a gateway answers itself."""
    return httpx.Response(status, headers={"content-type": "text/html"}, text="<html>nginx</html>")


NO_LAG = {
    "page of a gateway": html(404),
    "method that a gateway refuses": html(405),
    "page instead of an answer": html(200),
    "JobManager that is busy": errors(503, "Service temporarily unavailable"),
    "fault of Flink": errors(500, "Internal server error."),
}


@pytest.mark.parametrize("instead", NO_LAG.values(), ids=NO_LAG)
def test_a_lag_that_cannot_be_read_is_requested_once(instead: httpx.Response) -> None:
    """A watch relaunches jobs after it: how the job is was observed before."""
    flink, clock = Sources(orders={}), Clock()
    flink.instead = instead
    backend, began = flink.backend(clock), clock.seconds
    with pytest.raises(CallFailed):
        backend.source_lag(JOB_ID)
    assert (len(flink.requests), clock.seconds - began) == (2, 0)


def watched(job_name: str, state: str = "RUNNING") -> Finding:
    return Finding(job_name, Healthy(JOB_ID), JobView(JOB_ID, job_name, state))


def test_after_one_lag_that_cannot_be_read_no_other_one_of_the_cluster_is_requested() -> None:
    flink, notes = Sources(orders={}), list[str]()
    flink.instead = html(404)
    jobs = [watched("ended", "FINISHED"), Finding("gone"), watched("orders"), watched("billing")]
    found = with_lags(jobs, flink.backend().source_lag, lambda name, _: notes.append(name))
    assert found == jobs
    assert notes == ["orders"]
    assert len(flink.requests) == 2


def test_each_live_job_of_a_watch_has_its_lag() -> None:
    flink = Sources(orders={"Source__orders.pendingRecords": each(5)})
    jobs = [watched("orders"), watched("ended", "FAILED"), watched("billing")]
    found = with_lags(jobs, flink.backend().source_lag, lambda name, _: pytest.fail(name))
    assert [job.lag for job in found] == [SourceLag(5), None, SourceLag(5)]
