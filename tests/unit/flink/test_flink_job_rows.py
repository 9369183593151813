"""Whatever a JobManager's job rows hold: unknown states, missing fields, null, anything else."""

from __future__ import annotations

import re
from typing import Any

import httpx
from hypothesis import given
from hypothesis import strategies as st

from flinkglue.errors import CallFailed
from flinkglue.flink.api.lifecycle_rest import FlinkLifecycleClient
from flinkglue.flink.backend import RestBackend
from flinkglue.flink.jars.sources import JarSource
from flinkglue.flink.timeouts import FlinkTimeouts
from flinkglue.lifecycle.models import TERMINAL_STATES, JobView
from tests.unit.lifecycle.fake_flink_jobs import Clock

states = st.sampled_from(["RUNNING", "FINISHED", "FAILED", "SUSPENDED", "HIBERNATING"]) | st.text(
    min_size=1
)
tasks = st.dictionaries(st.sampled_from(["running", "finished", "total", "napping"]), st.just(1))
rows = st.fixed_dictionaries(
    {"jid": st.from_regex(re.compile("[0-9a-f]{32}", re.ASCII), fullmatch=True), "state": states},
    optional={
        "name": st.sampled_from(["orders", None]),
        "start-time": st.integers(0, 1 << 41) | st.none(),
        "end-time": st.integers(-1, 1 << 41) | st.none(),
        "duration": st.integers(0, 1 << 41) | st.none(),
        "tasks": tasks | st.none(),
        "of-a-later-flink": st.text(),
    },
)
FIELDS = ["jid", "name", "state", "start-time", "end-time", "duration", "tasks", "vertices"]
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)


def found(listed: Any) -> list[JobView]:
    """What the backend finds under the name in a list of jobs."""
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json={"jobs": listed}))
    with FlinkLifecycleClient("http://flink.test", verify=False, transport=transport) as client:
        return RestBackend(client, JarSource(), timeouts=FlinkTimeouts(clock=Clock())).find(
            "orders"
        )


@given(st.lists(rows, max_size=3))
def test_unknown_states_and_missing_fields_are_read_and_never_count_as_an_end(
    listed: list[dict[str, Any]],
) -> None:
    expected = [row for row in listed if row.get("name") == "orders"]
    views = found(listed)
    assert sorted((view.job_id, view.state) for view in views) == sorted(
        (row["jid"], row["state"]) for row in expected
    )
    assert all(view.is_terminal == (view.state in TERMINAL_STATES) for view in views)


@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), anything), max_size=3))
def test_what_cannot_be_a_job_is_a_failed_call_and_never_no_job(
    listed: list[dict[str, Any]],
) -> None:
    """A list that cannot be read must not look like one without the job."""
    try:
        views = found(listed)
    except CallFailed:
        return
    assert len(views) == sum(row.get("name") == "orders" for row in listed)
