"""From a form to an action: what is refused, what stays as it ran last, who asks again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flinkglue.errors import Conflict, DeadlineExceeded, InvalidInput, JobFailed, NotFound
from flinkglue.flink.jars.sources import JarSource
from flinkglue.lifecycle.deadline import DeadlineClock
from flinkglue.lifecycle.differences import Difference
from flinkglue.lifecycle.execute import (
    RolledBack,
    execute,
    last_intent,
    raise_for_failure,
)
from flinkglue.lifecycle.health.judgement import Degraded, Finished, Healthy
from flinkglue.lifecycle.health.watch import (
    Relaunch,
    RelaunchLimit,
    is_desired_to_run,
    should_relaunch,
)
from flinkglue.lifecycle.models import Action, JobView, Outcome
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.request.changes import JobChanges
from tests.unit.lifecycle.asking_world import AskingWorld
from tests.unit.lifecycle.fake_flink_jobs import Behaviour, Clock
from tests.unit.lifecycle.lifecycle_world import (
    JOB_NAME,
    OPTIONS,
    Boundaries,
    Killed,
    MemoryStore,
)


@pytest.fixture
def world(tmp_path: Path) -> AskingWorld:
    return AskingWorld(tmp_path)


def new(world: AskingWorld, **changes: Any) -> ActionRequest:
    return ActionRequest(Action.NEW, JOB_NAME, JobChanges(jar=world.jar(), **changes))


@pytest.mark.parametrize(
    ("field", "ask"),
    [
        ("job_name", lambda: ActionRequest(Action.STOP, " ")),
        ("jar", lambda: JobChanges(jar="orders.tar")),
        ("parallelism", lambda: JobChanges(parallelism=0)),
        ("restore_mode", lambda: JobChanges(restore_mode="KEEP")),  # type: ignore[arg-type]
        ("jar", lambda: ActionRequest(Action.STOP, "orders", JobChanges(jar="a.jar"))),
        ("args", lambda: ActionRequest(Action.SAVEPOINT, "orders", JobChanges(args=()))),
        ("savepoint", lambda: ActionRequest(Action.STOP, "orders", savepoint_path="s3://b/s")),
        ("savepoint", lambda: ActionRequest(Action.UPDATE, "orders", savepoint_path="s3://b/s")),
        ("job_id", lambda: ActionRequest(Action.STOP, "orders", job_id="42")),
        ("drain", lambda: ActionRequest(Action.CANCEL, "orders", drain=True)),
    ],
)
def test_what_cannot_be_is_refused_before_any_call(field: str, ask: Any) -> None:
    """By the name that the form shows."""
    with pytest.raises(InvalidInput) as refused:
        ask()
    assert refused.value.field == field


def test_a_job_that_nothing_is_known_of_needs_a_jar(world: AskingWorld) -> None:
    """And nothing is sent."""
    with pytest.raises(InvalidInput, match="jar"):
        world.ask(ActionRequest(Action.NEW, JOB_NAME))
    assert world.jobmanager.requests == []


def test_what_is_left_out_stays_as_it_ran_last(world: AskingWorld) -> None:
    """An update of the parallelism alone."""
    settings = {"restart-strategy.type": "none"}
    world.ask(new(world, args=("--topic", "a"), flink_configuration=settings))
    world.clock.sleep(10)
    world.ask(ActionRequest(Action.UPDATE, JOB_NAME, JobChanges(parallelism=3)))
    spec = world.journal.job_record(JOB_NAME).spec
    assert spec is not None
    assert (spec.args, spec.parallelism) == (("--topic", "a"), 3)
    assert dict(spec.flink_configuration) == settings
    assert world.shown == [(), (Difference("parallelism", "1", "3"),)]


def test_arguments_can_be_taken_away(world: AskingWorld) -> None:
    """An empty list is not the same as nothing filled in."""
    world.ask(new(world, args=("--topic", "a")))
    world.clock.sleep(10)
    world.ask(ActionRequest(Action.UPDATE, JOB_NAME, JobChanges(args=())))
    spec = world.journal.job_record(JOB_NAME).spec
    assert spec is not None
    assert spec.args == ()


def test_new_with_an_empty_form_says_what_to_fill_in_on_a_known_job(world: AskingWorld) -> None:
    """What ran last is what START and RE_LAUNCH are for."""
    world.ask(new(world))
    with pytest.raises(InvalidInput, match=r"^jar: .*START.*RE_LAUNCH"):
        world.ask(ActionRequest(Action.NEW, JOB_NAME), "another run")


def test_an_update_without_a_jar_takes_what_lies_there_now(world: AskingWorld) -> None:
    """As the published system did; START takes the jar that ran."""
    asked = new(world)
    world.ask(asked)
    world.clock.sleep(10)
    first = world.journal.job_record(JOB_NAME).spec
    assert first is not None
    Path(first.jar.uri).write_text(Behaviour.OTHER_GOOD)
    outcome = world.ask(ActionRequest(Action.UPDATE, JOB_NAME))
    second = world.journal.job_record(JOB_NAME).spec
    assert outcome.succeeded
    assert second is not None
    assert second.jar.sha256 != first.jar.sha256
    assert [change.field for change in world.shown[-1]] == ["jar"]


def test_a_jar_that_is_not_there_changes_nothing(world: AskingWorld) -> None:
    """And the same run may ask again."""
    job = world.running()
    asked = ActionRequest(Action.UPDATE, JOB_NAME, JobChanges(jar=str(world.directory / "no.jar")))
    with pytest.raises(NotFound):
        world.ask(asked)
    assert world.job() is job
    (world.directory / "no.jar").write_text(Behaviour.GOOD)
    assert world.ask(asked).succeeded


def test_an_intent_asks_for_one_thing(world: AskingWorld) -> None:
    """A command line that is repeated with other options is refused."""
    world.boundaries.at = 12
    asked, other = new(world), new(world, parallelism=2)
    with pytest.raises(Killed):
        world.ask(asked)
    world.boundaries.restart()
    with pytest.raises(InvalidInput, match="intent"):
        world.ask(other)
    assert world.ask(asked).succeeded


def test_who_succeeded_asks_for_nothing_more(world: AskingWorld) -> None:
    """A completed run that is retried returns how it ended."""
    first = world.ask(new(world))
    assert world.ask(new(world)) == first
    assert len(world.jobmanager.live_jobs()) == 1


def test_a_retry_after_a_bad_end_is_a_new_attempt(world: AskingWorld) -> None:
    """The jar was repaired meanwhile."""
    world.running()
    path = world.directory / "release.jar"
    path.write_text(Behaviour.CRASH_LOOP)
    asked = ActionRequest(Action.UPDATE, JOB_NAME, JobChanges(jar=str(path)))
    outcome = world.ask(asked)
    assert outcome.rolled_back
    assert last_intent(world.journal, "run:UPDATE") == "run:UPDATE:1"
    path.write_text(Behaviour.GOOD)
    world.clock.sleep(10)
    assert world.ask(asked).succeeded
    assert last_intent(world.journal, "run:UPDATE") == "run:UPDATE:2"


@pytest.mark.exhaustive
def test_a_retry_after_a_kill_is_the_same_attempt(world: AskingWorld) -> None:
    """At every call: one job in the end, with the jar that was meant when it was first asked."""
    asked = new(world)
    world.ask(asked)
    world.clock.sleep(10)
    path = world.directory / "release.jar"
    number = 0
    while True:
        path.write_text((Behaviour.OTHER_GOOD, Behaviour.GOOD)[number % 2])
        update = ActionRequest(Action.UPDATE, JOB_NAME, JobChanges(jar=str(path)))
        world.boundaries.restart()
        world.boundaries.at, world.boundaries.before = number, number % 2 == 0
        try:
            world.ask(update, f"run{number}")
        except Killed:
            world.boundaries.restart()
            assert world.ask(update, f"run{number}").succeeded
        else:
            break
        spec = world.journal.job_record(JOB_NAME).spec
        assert spec is not None
        assert spec.jar == JarSource().identify(str(path))
        assert len(world.jobmanager.live_jobs()) == 1
        assert last_intent(world.journal, f"run{number}:UPDATE") == f"run{number}:UPDATE:1"
        world.clock.sleep(10)
        number += 1
    assert number > 40


def test_two_runs_do_not_act_on_one_job(world: AskingWorld) -> None:
    """The second is told who does."""
    world.running()
    world.boundaries.at = 15
    with pytest.raises(Killed):
        world.ask(ActionRequest(Action.STOP, JOB_NAME), "first")
    world.boundaries.restart()
    with pytest.raises(Conflict, match="first:STOP:1 has not ended"):
        world.ask(ActionRequest(Action.CANCEL, JOB_NAME), "second")
    assert world.ask(ActionRequest(Action.CANCEL, JOB_NAME, take_over=True), "second").succeeded


def test_a_failure_says_whether_the_old_job_runs(world: AskingWorld) -> None:
    """So that a pipeline can tell."""
    good = Outcome(Action.UPDATE, "orders")
    assert raise_for_failure(good) is good
    with pytest.raises(RolledBack, match="UPDATE of orders was rolled back: bad jar"):
        raise_for_failure(Outcome(Action.UPDATE, "orders", failure="bad jar", rolled_back=True))
    with pytest.raises(JobFailed) as failed:
        raise_for_failure(Outcome(Action.UPDATE, "orders", failure="bad jar"))
    assert not isinstance(failed.value, RolledBack)


def test_nobody_waits_past_the_deadline() -> None:
    """And nobody is told that it passed while there is time."""
    clock = Clock()
    began = clock.monotonic()
    deadline = DeadlineClock("UPDATE of orders", 10, clock)
    deadline.sleep(9)
    with pytest.raises(DeadlineExceeded, match="UPDATE of orders was not reached within 10 s"):
        deadline.sleep(5)
    assert clock.monotonic() - began == 10


def test_a_story_is_told_while_it_is_written(world: AskingWorld) -> None:
    """Each line once, whoever writes it."""
    told: list[str] = []
    outcome = execute(
        new(world),
        "intent",
        store=world.store,
        backend=world.backend(),
        identify=JarSource().identify,
        options=OPTIONS,
        clock=world.clock,
        emit=told.append,
    )
    assert told == list(outcome.story)
    assert len(told) == 2


def test_a_job_that_was_ended_on_purpose_is_not_wanted(world: AskingWorld) -> None:
    """Until it is started again; a failed action changes nothing about it."""
    assert is_desired_to_run(world.store, JOB_NAME)
    world.ask(new(world))
    world.clock.sleep(10)
    world.journal.record_desired_state(Outcome(Action.STOP, JOB_NAME, failure="no disk"))
    assert is_desired_to_run(world.store, JOB_NAME)
    world.ask(ActionRequest(Action.STOP, JOB_NAME))
    assert not is_desired_to_run(world.store, JOB_NAME)
    world.ask(ActionRequest(Action.LIST_SAVEPOINT, JOB_NAME))
    assert not is_desired_to_run(world.store, JOB_NAME)
    world.ask(ActionRequest(Action.START, JOB_NAME))
    assert is_desired_to_run(world.store, JOB_NAME)


def view(state: str) -> JobView:
    return JobView("a" * 32, "orders", state)


@pytest.mark.parametrize(
    ("verdict", "seen", "when_down", "when_unhealthy"),
    [
        (Healthy("a"), view("RUNNING"), False, False),
        (Finished("a"), view("FINISHED"), False, False),
        (Degraded("a", "it ended as FAILED", is_down=True), view("FAILED"), True, True),
        (Degraded("", "gone", is_down=True), None, True, True),
        (Degraded("a", "it ended as CANCELED", is_down=True), view("CANCELED"), False, False),
        (Degraded("a", "crash loop"), view("RESTARTING"), False, True),
    ],
)
def test_what_a_watch_brings_back(
    verdict: Any, seen: JobView | None, when_down: bool, when_unhealthy: bool
) -> None:
    """Never a job that somebody cancelled, and nothing unless it is told to."""
    assert should_relaunch(verdict, seen, Relaunch.NEVER) is False
    assert should_relaunch(verdict, seen, Relaunch.WHEN_DOWN) is when_down
    assert should_relaunch(verdict, seen, Relaunch.WHEN_UNHEALTHY) is when_unhealthy


def test_relaunches_have_a_limit_within_a_window() -> None:
    """Of each job; asked again by the same run, one counts once."""
    limit = RelaunchLimit(MemoryStore(Boundaries()), 2, 100)
    assert limit.count("orders", "run1", 0)
    assert limit.count("orders", "run1", 1)
    assert limit.count("orders", "run2", 50)
    assert not limit.count("orders", "run3", 99)
    assert limit.count("payments", "run3", 99)
    assert limit.count("orders", "run4", 101)


def test_a_relaunch_that_was_refused_does_not_count() -> None:
    limit = RelaunchLimit(MemoryStore(Boundaries()), 1, 100)
    assert limit.count("orders", "run1", 0)
    limit.take_back("orders", "run1")
    assert limit.count("orders", "run2", 1)
    assert not limit.count("orders", "run3", 2)
