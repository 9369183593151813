"""Savepoints that the retention disposes of, while other runs start jobs from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from flinkglue.errors import InvalidInput
from flinkglue.lifecycle.actions.inventory import Disposals, apply_retention
from flinkglue.lifecycle.journal.plans import StartPlan
from flinkglue.lifecycle.journal.records import JobRecord, document_of
from flinkglue.lifecycle.models import Action, Savepoint
from flinkglue.lifecycle.state.retention import Retention
from flinkglue.lifecycle.transaction import Refused
from flinkglue.markdown import NOTHING
from flinkglue.prefect.pages.savepoints import JobReport
from tests.unit.lifecycle.lifecycle_world import JOB_NAME, Killed, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def savepoints(world: World, number: int = 3) -> list[str]:
    """Savepoints of a job that has been stopped, the oldest first."""
    world.running()
    for place in range(number - 1):
        world.act(Action.SAVEPOINT, f"setup:savepoint {place}").raise_for_failure()
        world.clock.sleep(20)
    world.act(Action.STOP, "setup:stop").raise_for_failure()
    world.boundaries.restart()
    return [savepoint.path for savepoint in world.journal.savepoints(JOB_NAME)][::-1]


def dispose(world: World, keep: int = 1) -> Disposals:
    now = world.clock.monotonic
    return apply_retention(JOB_NAME, Retention(keep), world.backend(), world.journal, now)


def disposed(world: World, keep: int = 1) -> list[str]:
    return [savepoint.path for savepoint in dispose(world, keep).disposed]


def test_what_a_job_started_from_stays_however_it_was_spelled(world: World) -> None:
    oldest, middle, newest = savepoints(world)
    spelled = oldest.replace("file:/", "file:///") + "/"
    world.jobmanager.stored[spelled] = world.jobmanager.stored[oldest]  # Flink takes both
    world.act(Action.START, "start", savepoint_path=spelled).raise_for_failure()
    assert disposed(world) == [middle]
    assert {oldest, newest} <= world.jobmanager.stored.keys()


def test_what_a_job_of_another_name_started_from_stays(world: World) -> None:
    oldest, middle, _ = savepoints(world)
    world.journal.save_job_record(JobRecord("a copy", "c" * 32, 1, restored_from=oldest))
    assert disposed(world) == [middle]


def start_from(world: World, path: str) -> object:
    """The plan of a START, as it is written down."""
    plan = StartPlan(spec=world.spec(), restore_from=path)
    return document_of(plan)


@pytest.mark.parametrize("job_name", [JOB_NAME, "a copy"])
def test_what_a_run_chose_meanwhile_stays(world: World, job_name: str) -> None:
    """It began after the retention had looked whether anybody acts."""
    oldest, middle, _ = savepoints(world)

    def begin() -> None:
        world.boundaries.at_what = ""
        held = world.journal.begin("other", Action.START, job_name)
        held.note(story=(), facts={"plan": start_from(world, oldest)})

    world.boundaries.at_what, world.boundaries.interrupt = "write savepoint", begin
    world.boundaries.before = False
    done = dispose(world)
    (_, reason) = done.failed[0]
    assert f"START of {job_name} may start from it" in reason
    assert oldest in world.jobmanager.stored
    assert all(savepoint.is_whole for savepoint in world.journal.savepoints(JOB_NAME))
    if job_name != JOB_NAME:
        assert [gone.path for gone in done.disposed] == [middle]


@pytest.mark.parametrize(
    "meant",
    [
        "{name}",
        "..",
        "savepoints/{name}",
        "file:/the state/savepoints/{name}x",
        "file:/the state/savepoint/{name}",
        "file:/the state/savepoints",
        "s3://elsewhere/{name}",
    ],
)
def test_what_is_to_stay_must_be_a_savepoint_that_is_known(world: World, meant: str) -> None:
    """A mistake in it would give up the one that was meant."""
    oldest, *_ = savepoints(world)
    path = meant.format(name=oldest.rpartition("/")[2])
    before = dict(world.jobmanager.stored)
    with pytest.raises(InvalidInput, match="kept_paths"):
        dispose_keeping(world, path)
    assert world.jobmanager.stored == before


def test_it_may_be_one_of_another_job_or_one_that_only_the_storage_has(world: World) -> None:
    oldest, middle, newest = savepoints(world)
    foreign = "file:/the state/savepoints/savepoint-ffffff-1"
    world.jobmanager.stored[foreign] = (1, 1.0)
    world.journal.record_savepoint(Savepoint("a copy", "c" * 32, "s3://b/sp", 1, origin="STOP"))
    spelled = oldest.replace("file:/", "file:///") + "/_metadata"
    done = dispose_keeping(world, foreign, "s3a://b/sp/", spelled)
    assert [gone.path for gone in done.disposed] == [middle]
    assert {oldest, newest, foreign} <= world.jobmanager.stored.keys()


def dispose_keeping(world: World, *paths: str) -> Disposals:
    limits = Retention(1, kept_paths=frozenset(paths))
    return apply_retention(JOB_NAME, limits, world.backend(), world.journal, world.now)


ACTS_ON_WHAT_RUNS = (Action.SAVEPOINT, Action.STOP, Action.CANCEL, Action.DELETE)


@pytest.mark.parametrize("action", ACTS_ON_WHAT_RUNS)
def test_a_command_that_died_before_its_plan_keeps_no_other_job_from_its_retention(
    world: World, action: Action
) -> None:
    """It starts from nothing, whatever it would have decided."""
    oldest, middle, _ = savepoints(world)
    world.journal.begin("died", action, "a copy")
    assert set(disposed(world)) == {oldest, middle}


@pytest.mark.parametrize("is_begun_before", [True, False])
def test_a_run_that_could_dispose_of_nothing_is_not_well(
    world: World, is_begun_before: bool
) -> None:
    """One that may start from anything died before its plan, on this job or on another."""
    oldest, middle, _ = savepoints(world)
    world.journal.begin("died", Action.START, JOB_NAME if is_begun_before else "a copy")
    report = JobReport(JOB_NAME, "file:/new", dispose(world))
    assert not report.is_well
    assert ("died" if is_begun_before else "START of a copy may start from it") in report.trouble
    assert {oldest, middle} <= world.jobmanager.stored.keys()


def test_a_run_that_disposed_of_some_is_well_and_tells_of_the_others(world: World) -> None:
    oldest, middle, _ = savepoints(world)
    held = world.journal.begin("other", Action.START, "a copy")
    held.note(story=(), facts={"plan": start_from(world, oldest)})
    report = JobReport(JOB_NAME, "file:/new", dispose(world))
    assert report.is_well
    assert report.row()["disposed of"] == middle
    assert oldest in report.row()["trouble"]
    assert JobReport(JOB_NAME, "file:/new").row()["trouble"] == NOTHING


def test_what_is_being_disposed_of_is_not_started_from(world: World) -> None:
    """Neither when it is named, nor as the newest of its launch."""
    oldest, *_ = savepoints(world)
    world.boundaries.at_what = "POST /savepoint-disposal"
    with pytest.raises(Killed):
        dispose(world)
    world.boundaries.restart()
    with pytest.raises(Refused, match="is being disposed of"):
        world.act(Action.START, "start", savepoint_path=f"{oldest}/")
    assert world.jobmanager.live_jobs() == []


def test_a_disposal_that_was_interrupted_is_gone_on_with(world: World) -> None:
    """Also when the limits would let it stay now: part of it may be gone."""
    oldest, middle, _ = savepoints(world)
    world.boundaries.at_what = "POST /savepoint-disposal"
    with pytest.raises(Killed):
        dispose(world)
    world.boundaries.restart()
    assert disposed(world, keep=3) == [oldest]
    assert middle in world.jobmanager.stored


def test_a_job_does_not_start_from_a_newest_savepoint_that_is_gone(world: World) -> None:
    """Nor from an older one instead, unless that is named."""
    _, middle, newest = savepoints(world)
    del world.jobmanager.stored[newest]
    with pytest.raises(Refused, match="is gone from storage"):
        world.act(Action.START, "start")
    start = world.act(Action.START, "start", savepoint_path=middle)
    assert start.raise_for_failure().savepoint_path == middle


def test_a_job_does_not_start_from_what_it_gave_to_flink(world: World) -> None:
    *_, newest = savepoints(world)
    world.act(Action.START, "claim", spec=world.spec(restore_mode="CLAIM")).raise_for_failure()
    world.act(Action.CANCEL, "cancel").raise_for_failure()
    world.reads_storage = False
    with pytest.raises(Refused, match=f"{newest} was given to Flink with CLAIM"):
        world.act(Action.START, "start")
    assert world.jobmanager.live_jobs() == []
