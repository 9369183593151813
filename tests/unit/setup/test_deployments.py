"""Deployments that people and earlier versions left on the server, and what becomes of them."""

from __future__ import annotations

from typing import Any, cast

import pytest
from prefect.client.orchestration import SyncPrefectClient

from flinkglue.errors import CallFailed, InvalidInput
from flinkglue.prefect.store.server_records import ServerRecords
from infra.setup.environment import Deployment
from infra.setup.execution import execute
from infra.setup.kinds.deployments import Deployments
from infra.setup.plan import Verb, plan_of
from infra.setup.project import specs
from infra.setup.record import AppliedRecords
from infra.setup.server import Server
from tests.unit.setup.deployments_on_the_wire import FakeDeployments

OLD, NEW = "glue-vpc-failover/orders-nightly", "glue-job/orders-nightly"
PARAMETERS = {"job_name": "orders", "aws_credentials": "aws"}
SCHEDULE = {"schedule": {"cron": "30 2 * * *", "timezone": "UTC"}}


class World:
    """A server, and a file that names one deployment."""

    def __init__(self, **file: Any) -> None:
        self.server = FakeDeployments()
        self.file: dict[str, Any] = file

    def up(self, *, overwrite: bool = False) -> Verb:
        client = cast(SyncPrefectClient, self.server.client())
        named = [
            each for each in specs({NEW: Deployment.model_validate(self.file)}) if each.name == NEW
        ]
        records = AppliedRecords(ServerRecords(client, self.server.clock))
        kinds = [Deployments(Server(client), named)]
        (step,) = plan_of(kinds, records, "production", overwrite=overwrite)
        execute([step], records, "production", lambda step: None)
        return step.verb

    def changes(self) -> list[str]:
        return [each for each in self.server.requests if "GET" not in each and "var" not in each]

    @property
    def now(self) -> dict[str, Any]:
        return self.server.deployments[NEW]


def test_settings_of_an_earlier_form_are_taken_over_where_they_are_now() -> None:
    world = World()
    saved = {**PARAMETERS, "strategy": "my.mod:fn", "deadline_minutes": 60, "region": None}
    saved |= {"connection_names": None, "retry_options": {"retries": 1, "failure_rules": None}}
    world.server.has(OLD, parameters=saved, schedules=[SCHEDULE])
    world.up()
    assert world.now["parameters"] == {
        **PARAMETERS,
        "strategy": "custom",
        "advanced_options": {"strategy_function": "my.mod:fn"},
        "wait_options": {"deadline_minutes": 60},
        "retry_options": {"retries": 1},
    }
    assert world.server.running() == {NEW: 1}
    assert world.up() is Verb.SAME


def test_a_schedule_keeps_what_it_had_over_its_deployment() -> None:
    world = World()
    saved = {**PARAMETERS, "deadline_minutes": 60, "follow_logs": False}
    own = {"deadline_minutes": 90, "region": None}
    slugged = {**SCHEDULE, "slug": "weekly", "parameters": own}
    world.server.has(OLD, parameters=saved, schedules=[{**SCHEDULE, "parameters": own}, slugged])
    world.up()
    group = {"wait_options": {"deadline_minutes": 90, "follow_logs": False}}
    assert [each["parameters"] for each in world.now["schedules"]] == [group, group]


@pytest.mark.parametrize(("file", "paused"), [({}, True), ({"paused": False}, False)])
def test_one_that_was_paused_stays_paused_unless_the_file_says_otherwise(
    file: dict[str, Any], paused: bool
) -> None:
    world = World(**file)
    world.server.has(OLD, parameters=PARAMETERS, schedules=[SCHEDULE], paused=True)
    world.up()
    assert world.now["paused"] is paused
    assert world.up() is Verb.SAME


@pytest.mark.parametrize("how_many", [1, 2, 3, 4])
def test_schedules_go_on_wherever_the_takeover_fails_and_are_never_there_twice(
    how_many: int,
) -> None:
    """And the same command goes on with it."""
    points = ["POST /flows/", "POST /deployments/", "PATCH /deployments/ID"]
    world = World()
    world.server.has(OLD, parameters=PARAMETERS, schedules=[SCHEDULE])
    world.server.fails_at = {*points[how_many - 1 : how_many]}
    if world.server.fails_at:
        with pytest.raises(CallFailed):
            world.up()
        assert world.server.running() == {OLD: 1}
    world.server.fails_at = set()
    world.up()
    assert world.server.running() == {NEW: 1}
    assert world.server.deployments[OLD]["paused"]
    assert world.up() is Verb.SAME


def test_the_last_step_of_a_takeover_is_repeated() -> None:
    world = World()
    old = world.server.has(OLD, parameters=PARAMETERS, schedules=[SCHEDULE])
    world.up()
    old["paused"] = True
    world.now.update(paused=True, version="takes over a deployment")
    assert world.up() is Verb.CHANGE
    assert world.server.running() == {NEW: 1}


def test_what_the_form_takes_no_more_is_refused_before_anything_is_done() -> None:
    world = World()
    world.server.has(OLD, parameters={**PARAMETERS, "strategy": "fastest"}, schedules=[SCHEDULE])
    with pytest.raises(InvalidInput, match=rf"{NEW}.parameters.strategy.* deployment {OLD}"):
        world.up()
    assert world.changes() == []
    assert world.server.running() == {OLD: 1}
    world.file = {"parameters": {"strategy": "capacity"}}
    world.up()
    assert world.now["parameters"]["strategy"] == "capacity"


def test_a_new_form_is_deployed_over_parameters_of_the_one_before() -> None:
    world = World()
    saved = {**PARAMETERS, "strategy": "my.mod:fn", "connection_names": None, "retries": 1}
    world.server.has(NEW, parameters=saved, parameter_openapi_schema={"type": "object"})
    world.server.has(NEW, parameters=saved, schedules=[{**SCHEDULE, "parameters": {"retries": 2}}])
    world.up()
    assert world.now["parameters"] == {
        **PARAMETERS,
        "strategy": "custom",
        "advanced_options": {"strategy_function": "my.mod:fn"},
        "retry_options": {"retries": 1},
    }
    (schedule,) = world.now["schedules"]
    assert schedule["parameters"] == {"retry_options": {"retries": 2}}


def test_parameters_that_a_new_form_does_not_take_are_named_with_their_deployment() -> None:
    world = World()
    world.server.has(NEW, parameters={**PARAMETERS, "strategy": "fastest"})
    with pytest.raises(InvalidInput, match=rf"parameters.strategy.* deployment {NEW}"):
        world.up()
    assert world.changes() == []
    world.file = {"parameters": {"strategy": "capacity"}}
    world.up(overwrite=True)
    assert world.now["parameters"]["strategy"] == "capacity"


def test_paused_that_has_left_the_file_is_paused_no_more() -> None:
    world = World(paused=True)
    world.up()
    assert world.now["paused"]
    world.file = {}
    world.up()
    assert world.now["paused"] is False
    assert world.up() is Verb.SAME
