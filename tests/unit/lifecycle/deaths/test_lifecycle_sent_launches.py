"""A process dies right after it sent a launch; what its job does until the next one comes stays."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from flinkglue.errors import InDoubt, ServiceUnavailable
from flinkglue.lifecycle.models import Action
from flinkglue.lifecycle.readiness import ReadyLimits
from flinkglue.lifecycle.transaction import Refused
from tests.unit.lifecycle.fake_flink_jobs import Behaviour, Job
from tests.unit.lifecycle.lifecycle_world import JOB_NAME, OPTIONS, World

DAY_SECONDS = 86_400
ENDS = ["lost with its JobManager", "failed", "cancelled by somebody"]
UPDATES = [Action.UPDATE, Action.STATELESS_UPDATE, Action.LAST_STATE_UPDATE, Action.RE_LAUNCH]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def before(world: World, action: Action) -> dict[str, Any]:
    """Have the world as the action needs it; the rest of its request."""
    if action is Action.NEW:
        return {"spec": world.spec()}
    if action is Action.START:
        world.stopped()
        return {}
    world.running()
    return {} if action is Action.RE_LAUNCH else {"spec": world.spec(Behaviour.OTHER_GOOD)}


def killed_after_submit(world: World, action: Action, **request: Any) -> None:
    """The process dies when Flink has taken the launch, before it hears of it."""
    really = world.boundaries.cross

    def cross(what: str, call: Any) -> Any:
        answer = really(what, call)
        if what.startswith("POST") and what.endswith("/run") and not world.boundaries.is_dead:
            world.boundaries._die()
        return answer

    world.boundaries.cross = cross  # type: ignore[method-assign]
    assert world.act_interrupted(action, "run", **request) is None
    world.boundaries.cross = really  # type: ignore[method-assign]


def end(world: World, job: Job, how: str) -> None:
    world.jobmanager.advance()
    if how == "failed":
        world.jobmanager.fail(job, "java.io.IOException: disk full")
    elif how == "cancelled by somebody":
        world.jobmanager.end(job, "CANCELED")
    else:
        world.jobmanager.kill()
        world.jobmanager.known_to_taskmanagers.clear()


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("action", [Action.NEW, Action.START, *UPDATES])
def test_a_days_state_is_neither_dropped_nor_rolled_back(
    world: World, action: Action, how: str
) -> None:
    request = before(world, action)
    killed_after_submit(world, action, **request)
    job = world.job()
    world.clock.sleep(DAY_SECONDS)
    end(world, job, how)
    ((_, newest),) = job.checkpoints
    outcome = world.act(action, "run", **request)
    assert newest in outcome.failure
    assert "RE_LAUNCH resumes from that state" in outcome.failure
    assert (outcome.savepoint_path, outcome.rolled_back) == (newest, False)
    assert world.jobmanager.live_jobs() == []
    if world.journal.savepoints(JOB_NAME):
        with pytest.raises(Refused, match=re.escape(newest)):
            world.act(Action.START, "older")
    assert world.jobmanager.live_jobs() == []
    world.act(Action.RE_LAUNCH, "person").raise_for_failure()
    assert world.job().restored == newest
    assert world.job().behaviour is job.behaviour


def test_a_savepoint_that_somebody_took_counts_as_well(world: World) -> None:
    """With Flink's own tools: it is in no ledger."""
    request = before(world, Action.UPDATE)
    killed_after_submit(world, Action.UPDATE, **request)
    job = world.job()
    world.clock.sleep(DAY_SECONDS)
    world.jobmanager.advance()
    world.jobmanager.take(job.job_id, "f" * 32, stop=False)
    world.jobmanager.end(job, "CANCELED")
    outcome = world.act(Action.UPDATE, "run", **request)
    assert outcome.savepoint_path == job.savepoint
    assert not outcome.rolled_back


def test_a_job_that_crashed_again_and_again_that_day_is_not_ended(world: World) -> None:
    """It lives, and is no good launch any more: a rollback would drop the day."""
    request = before(world, Action.UPDATE)
    killed_after_submit(world, Action.UPDATE, **request)
    job = world.job()
    world.clock.sleep(DAY_SECONDS)
    job.failures += ["java.io.IOException: no broker"] * 5
    outcome = world.act(Action.UPDATE, "run", **request)
    assert "crash loop" in outcome.failure
    assert "neither ended nor rolled back" in outcome.failure
    assert world.job() is job


def test_a_rollback_that_ran_for_a_day_does_not_begin_anew_either(world: World) -> None:
    world.running()
    spec = world.spec(Behaviour.THROWS_WHEN_RUN)
    sent = []
    really = world.boundaries.cross

    def cross(what: str, call: Any) -> Any:
        answer = really(what, call)
        if what.startswith("POST") and what.endswith("/run"):
            sent.append(what)
            if len(sent) == 2:
                world.boundaries._die()
        return answer

    world.boundaries.cross = cross  # type: ignore[method-assign]
    assert world.act_interrupted(Action.UPDATE, "run", spec=spec) is None
    job = world.job()
    world.clock.sleep(DAY_SECONDS)
    end(world, job, "failed")
    ((_, newest),) = job.checkpoints
    outcome = world.act(Action.UPDATE, "run", spec=spec)
    assert newest in outcome.failure
    assert outcome.savepoint_path == newest
    assert world.jobmanager.live_jobs() == []


@pytest.mark.parametrize("action", [Action.START, *UPDATES])
def test_what_cannot_be_looked_at_is_not_dropped(world: World, action: Action) -> None:
    request = before(world, action)
    world.reads_storage = False
    killed_after_submit(world, action, **request)
    world.clock.sleep(DAY_SECONDS)
    end(world, world.job(), "lost with its JobManager")
    outcome = world.act(action, "run", **request)
    assert "are not known" in outcome.failure
    assert "in the savepoint of RE_LAUNCH" in outcome.failure
    with pytest.raises(Refused):
        world.act(Action.START, "person")
    assert world.jobmanager.live_jobs() == []


@pytest.mark.parametrize("reads_storage", [True, False])
def test_a_launch_that_was_never_sent_is_sent(world: World, reads_storage: bool) -> None:
    """The process died between its decision and the request, as the journal tells."""
    request = before(world, Action.UPDATE)
    world.reads_storage = reads_storage
    jar = world.spec(Behaviour.OTHER_GOOD).jar.sha256[:8]
    really = world.jobmanager.transport

    def handle(call: httpx.Request) -> httpx.Response:
        record = world.journal.job_record(JOB_NAME)
        if record.spec and record.spec.jar.sha256.startswith(jar):
            world.boundaries._die()
        return really.handle_request(call)

    world.jobmanager.transport = httpx.MockTransport(handle)
    assert world.act_interrupted(Action.UPDATE, "run", **request) is None
    world.jobmanager.transport = really
    world.act(Action.UPDATE, "run", **request).raise_for_failure()
    assert world.job().behaviour is Behaviour.OTHER_GOOD


def test_a_launch_whose_job_never_ran_is_sent_again(world: World) -> None:
    request = before(world, Action.UPDATE)
    killed_after_submit(world, Action.UPDATE, **request)
    end(world, world.job(), "lost with its JobManager")
    world.act(Action.UPDATE, "run", **request).raise_for_failure()
    assert world.job().behaviour is Behaviour.OTHER_GOOD


def test_a_journal_of_the_version_before_does_not_tell_of_sends(world: World) -> None:
    """There, each launch that was decided may have been sent."""
    request = before(world, Action.UPDATE)
    killed_after_submit(world, Action.UPDATE, **request)
    entry = world.store.read("intent", "run") or {}
    facts = {name: fact for name, fact in entry["facts"].items() if name != "new_sent_at"}
    facts["new_launch"] = {
        name: facts["new_launch"][name] for name in ("generation", "job_id", "previous_job_id")
    }
    world.store.write("intent", "run", {**entry, "facts": facts})
    world.clock.sleep(DAY_SECONDS)
    job = world.job()
    end(world, job, "failed")
    assert world.act(Action.UPDATE, "run", **request).savepoint_path == job.checkpoints[0][1]


def test_a_job_that_flink_takes_and_does_not_show_is_in_doubt(world: World) -> None:
    """Its Dispatcher refuses the id also while the first submit is being persisted."""
    request = before(world, Action.UPDATE)
    really, lost, sent = world.jobmanager.transport, ["the first answer"], []
    shows = False

    def handle(call: httpx.Request) -> httpx.Response:
        answer = really.handle_request(call)
        new = [job for job in world.jobmanager.jobs.values() if job.behaviour == "other good"]
        if call.url.path.endswith("/run"):
            sent.append(call)
            if lost:
                raise httpx.ReadError(lost.pop())
        elif new and not shows and new[0].job_id in call.url.path:
            why = f"Caused by: FlinkJobNotFoundException: no Flink job ({new[0].job_id})"
            return httpx.Response(404, json={"errors": [f"org.apache.flink.X: x\n{why}"]})
        return answer

    world.jobmanager.transport = httpx.MockTransport(handle)
    with pytest.raises(InDoubt, match="refuses its id as taken"):
        world.act(Action.UPDATE, "run", **request)
    assert world.job().behaviour is Behaviour.OTHER_GOOD
    assert len(sent) == 2
    shows = True
    world.act(Action.UPDATE, "run", **request).raise_for_failure()
    assert world.job().behaviour is Behaviour.OTHER_GOOD


SLOW = replace(OPTIONS, ready=ReadyLimits(within_seconds=600, stable_seconds=60))


def lost_while_it_is_waited_for(world: World, label: str = "other good") -> None:
    """The JobManager dies when the launch has run for half a minute, and completed checkpoints."""

    def kill() -> bool:
        new = [job for job in world.jobmanager.live_jobs() if job.behaviour == label]
        if not (new and new[0].checkpoints and new[0].count(world.clock.seconds) > 30):
            return True
        world.jobmanager.kill()
        world.jobmanager.known_to_taskmanagers.clear()
        return False

    world.clock.every(1, kill)


class TestWithinOneProcess:
    """A launch that is lost after its first checkpoint, while its own process waits for it."""

    @pytest.mark.parametrize("action", UPDATES[:3])
    def test_it_is_not_rolled_back_behind_its_state(self, world: World, action: Action) -> None:
        request = before(world, action)
        lost_while_it_is_waited_for(world)
        outcome = world.act(action, "run", **request, options=SLOW)
        assert not outcome.rolled_back
        assert outcome.savepoint_path
        assert outcome.savepoint_path in outcome.failure
        assert "RE_LAUNCH resumes from that state" in outcome.failure
        assert world.jobmanager.live_jobs() == []
        world.act(Action.RE_LAUNCH, "person").raise_for_failure()
        assert world.job().restored == outcome.savepoint_path
        assert world.job().behaviour is Behaviour.OTHER_GOOD

    def test_it_is_not_where_nobody_can_look_for_its_state(self, world: World) -> None:
        request = before(world, Action.UPDATE)
        world.reads_storage = False
        lost_while_it_is_waited_for(world)
        outcome = world.act(Action.UPDATE, "run", **request, options=SLOW)
        assert not outcome.rolled_back
        assert "are not known" in outcome.failure
        assert world.jobmanager.live_jobs() == []

    def test_a_start_that_is_lost_is_gone_on_with_from_its_newest_state(self, world: World) -> None:
        world.stopped()
        lost_while_it_is_waited_for(world, "good")
        outcome = world.act(Action.START, "run", options=SLOW)
        assert "RE_LAUNCH resumes from that state" in outcome.failure
        assert outcome.savepoint_path
        assert "chk-" in outcome.savepoint_path

    def test_a_bad_jar_is_rolled_back_and_what_it_leaves_is_named(self, world: World) -> None:
        """It failed by itself: that is what a rollback is for."""
        request = before(world, Action.UPDATE)
        failed: list[str] = []

        def fail() -> bool:
            new = [job for job in world.jobmanager.live_jobs() if job.behaviour == "other good"]
            if not (new and new[0].checkpoints):
                return True
            failed.append(new[0].checkpoints[-1][1])
            world.jobmanager.fail(new[0], "java.io.IOException: bad record")
            return False

        world.clock.every(1, fail)
        outcome = world.act(Action.UPDATE, "run", **request, options=SLOW)
        assert outcome.rolled_back
        assert failed[0] in outcome.failure
        assert failed[0] in " ".join(outcome.story)

    def test_a_storage_that_is_out_of_order_holds_no_rollback_up(self, world: World) -> None:
        """What the bad job leaves is not known then; the old one comes back all the same."""
        request = before(world, Action.UPDATE)
        is_throttled = False

        def listed(directory: str) -> Any:
            if is_throttled:
                raise ServiceUnavailable("S3", "ListObjectsV2", directory, "SlowDown")
            return world.jobmanager.files(directory)

        def fail() -> bool:
            nonlocal is_throttled
            new = [job for job in world.jobmanager.live_jobs() if job.behaviour == "other good"]
            if not (new and new[0].checkpoints):
                return True
            world.jobmanager.take(new[0].job_id, "f" * 32, stop=False)  # with Flink's own tools
            world.jobmanager.fail(new[0], "java.io.IOException: bad record")
            is_throttled = True
            return False

        world.clock.every(1, fail)
        world.lists = listed
        outcome = world.act(Action.UPDATE, "run", **request, options=SLOW)
        assert outcome.rolled_back
        assert "could not be read" in outcome.failure
        assert world.job().behaviour is Behaviour.GOOD
