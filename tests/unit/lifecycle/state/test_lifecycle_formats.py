"""The format that a savepoint is written in: one that the job can write, before it is asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flinkglue.lifecycle.models import Action
from flinkglue.lifecycle.savepoint_formats import (
    FormatUnsupported,
    SavepointFormat,
    configured_backend,
    format_of,
)
from flinkglue.lifecycle.transaction import Refused
from tests.unit.lifecycle.fake_flink_jobs import Behaviour, Job
from tests.unit.lifecycle.lifecycle_world import JOB_NAME, OPTIONS, World

TAKE_ONE = (Action.SAVEPOINT, Action.STOP, Action.UPDATE)
FORST = {"state.backend.type": "forst"}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def on_forst(world: World, *, in_cluster: bool = False) -> Job:
    """A job whose state lies in ForSt, by its own settings or by the cluster's."""
    if in_cluster:
        world.jobmanager.settings |= FORST
    spec = world.spec(flink_configuration={} if in_cluster else FORST)
    world.act(Action.NEW, "setup:new", spec=spec).raise_for_failure()
    world.clock.sleep(20)
    return world.job()


def act(world: World, action: Action, choice: SavepointFormat) -> str:
    options = replace(OPTIONS, savepoint_format=choice)
    spec = world.spec(Behaviour.OTHER_GOOD) if action is Action.UPDATE else None
    outcome = world.act(action, f"asked {choice}", spec=spec, options=options).raise_for_failure()
    assert outcome.savepoint_path
    return outcome.savepoint_path


@pytest.mark.parametrize("action", TAKE_ONE)
@pytest.mark.parametrize("in_cluster", [True, False])
@pytest.mark.parametrize("is_told", [True, False])
def test_a_job_on_forst_has_native_savepoints(
    world: World, action: Action, in_cluster: bool, is_told: bool
) -> None:
    """And never restarts for one; also where Flink does not tell what its state lies in."""
    world.jobmanager.tells_state_backend = is_told
    job = on_forst(world, in_cluster=in_cluster)
    path = act(world, action, SavepointFormat.AUTOMATIC)
    assert job.failures == []
    assert job.formats == ["NATIVE"]
    (entry,) = world.journal.savepoints(JOB_NAME)
    assert (entry.path, entry.format) == (path, "NATIVE")


@pytest.mark.parametrize("action", TAKE_ONE)
def test_a_canonical_one_of_it_is_refused_before_it_is_asked_for(
    world: World, action: Action
) -> None:
    job = on_forst(world)
    with pytest.raises(Refused, match="ForStStateBackend writes no canonical savepoints"):
        act(world, action, SavepointFormat.CANONICAL)
    assert (job.state, job.failures) == ("RUNNING", [])


@pytest.mark.parametrize("action", TAKE_ONE)
@pytest.mark.parametrize(
    ("choice", "asked_for"),
    [
        (SavepointFormat.AUTOMATIC, "CANONICAL"),
        (SavepointFormat.CANONICAL, "CANONICAL"),
        (SavepointFormat.NATIVE, "NATIVE"),
    ],
)
def test_any_other_job_has_what_was_chosen(
    world: World, action: Action, choice: SavepointFormat, asked_for: str
) -> None:
    """What Flink takes by default is canonical, which every state backend reads."""
    job = world.running()
    act(world, action, choice)
    assert job.formats == [asked_for]
    (entry,) = world.journal.savepoints(JOB_NAME)
    assert entry.format == asked_for


def test_what_is_only_found_has_a_format_that_nobody_tells(world: World) -> None:
    job = world.running()
    world.jobmanager.take(job.job_id, "f" * 32, stop=False)
    (found,) = world.act(Action.LIST_SAVEPOINT, "list").savepoints
    assert found.format == ""


@given(
    st.sampled_from(SavepointFormat), st.sampled_from(["forst", "ForStStateBackend"]) | st.text()
)
def test_a_native_only_backend_is_never_asked_for_a_canonical_one(
    choice: SavepointFormat, backend: str
) -> None:
    try:
        chosen = format_of(choice, backend)
    except FormatUnsupported:
        assert choice is SavepointFormat.CANONICAL
        return
    assert chosen == "NATIVE" or "forst" not in backend.lower()


@pytest.mark.parametrize(
    ("settings", "backend"),
    [
        (({"state.backend": "rocksdb"}, FORST), "rocksdb"),
        (({}, FORST), "forst"),
        (({"state.backend.type": "hashmap", "state.backend": "forst"},), "hashmap"),
        (({}, {}), ""),
    ],
)
def test_the_jobs_own_settings_come_first(
    settings: tuple[dict[str, str], ...], backend: str
) -> None:
    assert configured_backend(*settings) == backend
