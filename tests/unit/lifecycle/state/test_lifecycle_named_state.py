"""A savepoint that a person names: looked at before anything ends, and never the end of a job."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from flinkglue.errors import (
    AuthenticationFailed,
    FlinkGlueError,
    InvalidInput,
    NotFound,
    PermissionDenied,
    ServiceUnavailable,
)
from flinkglue.lifecycle.models import Action
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.transaction import Refused
from tests.unit.lifecycle.fake_flink_jobs import DIRECTORY, Behaviour
from tests.unit.lifecycle.lifecycle_world import JOB_NAME, OPTIONS, World

_LISTING = ("Amazon S3", "ListObjectsV2", "s3://flink")
NO_WAY_TO_LOOK = [
    PermissionDenied(*_LISTING, "Access Denied", status=403),
    AuthenticationFailed(*_LISTING, "The key does not exist", status=403),
    NotFound(*_LISTING, "The specified bucket does not exist", status=404),
    InvalidInput("s3_credentials", "jars", "the name of a block"),
]
STARTING = pytest.mark.parametrize(
    "action", [Action.NEW, Action.START, Action.LAST_STATE_UPDATE, Action.RE_LAUNCH]
)
LAST_STATE = pytest.mark.parametrize("action", [Action.LAST_STATE_UPDATE, Action.RE_LAUNCH])
TYPO = f"{DIRECTORY}/savepoints/savepoint-123456-000000000000"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@STARTING
@pytest.mark.parametrize(
    "path",
    [
        "savepoint-123456-0123456789ab",
        " file:/state/savepoint-1",
        "s3://",
        "abfs://user:secret@account.dfs.core.windows.net/s",
        "s3://bucket/s?X-Amz-Signature=secret",
        "file:/state/one\nfile:/state/two",
    ],
)
def test_what_is_no_address_is_refused_before_any_call(action: Action, path: str) -> None:
    """And no credentials are repeated."""
    with pytest.raises(InvalidInput) as refused:
        ActionRequest(action, JOB_NAME, savepoint_path=path)
    assert refused.value.field == "savepoint"
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "path",
    [
        "/state/savepoint-1",
        "file:/the state/savepoint-1",
        "file:///the state/savepoint-1/",
        "s3a://bucket/savepoint-1",
        "abfss://c@account.dfs.core.windows.net/savepoint-1",
        "hdfs://name-node:8020/savepoint-1",
        "gs://bucket/chk-7/_metadata",
    ],
)
def test_addresses_are_taken_as_people_write_them(path: str) -> None:
    assert ActionRequest(Action.START, JOB_NAME, savepoint_path=path).savepoint_path == path


@STARTING
def test_a_savepoint_that_is_not_there_is_refused(world: World, action: Action) -> None:
    """The job that runs is not touched."""
    if action in (Action.NEW, Action.START):
        world.stopped()
    else:
        job = world.running()
    with pytest.raises(InvalidInput, match="there is no _metadata"):
        world.act(action, "asked", savepoint_path=TYPO, spec=world.spec())
    assert len(world.jobmanager.jobs) == 1
    assert action in (Action.NEW, Action.START) or world.job() is job


@LAST_STATE
def test_where_nobody_can_look_the_job_comes_back_from_what_it_kept(
    world: World, action: Action
) -> None:
    """A typo costs a launch, and not the job."""
    old = world.running()
    world.reads_storage = False
    outcome = world.act(action, "asked", savepoint_path=TYPO)
    assert outcome.rolled_back
    assert f"whether {TYPO} is there was not checked" in " ".join(outcome.story)
    assert world.job().restored == old.checkpoints[-1][1]
    assert world.job().count_at_start > 0


@LAST_STATE
def test_and_a_job_that_keeps_nothing_is_not_ended_for_it(tmp_path: Path, action: Action) -> None:
    """Unless a person says that there need be no way back."""
    world = World(tmp_path, retain=False)
    job = world.running()
    world.reads_storage = False
    with pytest.raises(Refused, match="nothing else to return to"):
        world.act(action, "asked", savepoint_path=TYPO)
    assert world.job() is job
    no_rollback = replace(OPTIONS, roll_back=False)
    assert world.act(action, "sure", savepoint_path=TYPO, options=no_rollback).failure


@LAST_STATE
def test_a_savepoint_of_the_ledger_is_known_to_be_there(tmp_path: Path, action: Action) -> None:
    world = World(tmp_path, retain=False)
    world.running()
    path = world.act(Action.SAVEPOINT, "by hand").savepoint_path
    world.reads_storage = False
    outcome = world.act(action, "asked", savepoint_path=path).raise_for_failure()
    assert outcome.savepoint_path == path


def _credentials_are_for_other_storage(world: World, answer: FlinkGlueError) -> None:
    def refuse(directory: str) -> NoReturn:
        raise answer

    world.lists = refuse


@pytest.mark.parametrize("answer", NO_WAY_TO_LOOK, ids=lambda answer: type(answer).__name__)
@pytest.mark.parametrize("is_named", [True, False])
def test_credentials_for_other_storage_do_not_keep_a_stopped_job_from_starting(
    world: World, is_named: bool, answer: FlinkGlueError
) -> None:
    """The block's are often those of the jars. Flink itself reads the savepoint."""
    path = world.stopped()
    _credentials_are_for_other_storage(world, answer)
    outcome = world.act(Action.START, "asked", savepoint_path=path if is_named else None)
    assert outcome.raise_for_failure().savepoint_path == path
    assert not is_named or str(answer) in " ".join(outcome.story)


@pytest.mark.parametrize("answer", NO_WAY_TO_LOOK, ids=lambda answer: type(answer).__name__)
def test_nor_leave_an_action_half_done(world: World, answer: FlinkGlueError) -> None:
    """The job has ended when its checkpoint and its savepoint are compared."""
    old = world.running()
    world.act(Action.SAVEPOINT, "by hand").raise_for_failure()
    world.clock.sleep(60)
    _credentials_are_for_other_storage(world, answer)
    outcome = world.act(Action.LAST_STATE_UPDATE, "asked").raise_for_failure()
    assert outcome.savepoint_path == old.checkpoints[-1][1]


def test_a_service_that_does_not_answer_is_no_reason_not_to_look(world: World) -> None:
    """The same look may succeed later: the action is tried again."""
    world.stopped()
    _credentials_are_for_other_storage(world, ServiceUnavailable(*_LISTING, "slow", status=503))
    with pytest.raises(ServiceUnavailable):
        world.act(Action.START, "asked")
    world.lists = world.jobmanager.files
    assert world.act(Action.START, "asked").succeeded


@pytest.mark.parametrize("bad", [Behaviour.CRASH_LOOP, Behaviour.INCOMPATIBLE_STATE])
def test_re_launch_with_a_bad_jar_returns_to_the_old_one(world: World, bad: Behaviour) -> None:
    old = world.running()
    outcome = world.act(Action.RE_LAUNCH, "asked", spec=world.spec(bad))
    assert outcome.rolled_back
    assert world.job().behaviour is Behaviour.GOOD
    assert world.job().restored == old.checkpoints[-1][1]


def test_re_launch_with_another_jar_is_refused_when_the_old_one_is_gone(world: World) -> None:
    old = world.running()
    world.jobmanager.jars.clear()
    Path(world.spec().jar.uri).write_text("overwritten")
    with pytest.raises(Refused, match="its jar is gone"):
        world.act(Action.RE_LAUNCH, "asked", spec=world.spec(Behaviour.OTHER_GOOD))
    assert world.job() is old
