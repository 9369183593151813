"""Deployments that people and earlier versions left on the server, and what becomes of them."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from prefect.client.orchestration import SyncPrefectClient

from flinkglue.errors import CallFailed, InvalidInput
from flinkglue.prefect.store.server_records import ServerRecords
from infra.setup.environment import Deployment, WorkPool
from infra.setup.execution import execute
from infra.setup.fields import mark
from infra.setup.kinds.deployments import Deployments
from infra.setup.kinds.work_pools import WorkPools
from infra.setup.plan import Verb, plan_of
from infra.setup.project import specs
from infra.setup.record import AppliedRecords
from infra.setup.report import as_json, print_step
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
        self.pools: dict[str, WorkPool] = {}

    def up(self, *, overwrite: bool = False, told: bool = False) -> Verb:
        client = cast(SyncPrefectClient, self.server.client())
        named = [
            each for each in specs({NEW: Deployment.model_validate(self.file)}) if each.name == NEW
        ]
        records = AppliedRecords(ServerRecords(client, self.server.clock))
        pools = WorkPools(Server(client), self.pools).desired()
        kinds = [Deployments(Server(client), named, pools)]
        self.steps = plan_of(kinds, records, "production", overwrite=overwrite)
        (step,) = self.steps
        report = print_step if told else lambda step: None
        execute([step], records, "production", report)
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


def test_tags_that_people_add_stay_and_those_that_leave_the_file_go() -> None:
    world = World(tags=["orders", "nightly"])
    world.up()
    world.now["tags"].append("of-a-person")
    assert world.up() is Verb.SAME
    world.file = {"tags": ["nightly"]}
    assert world.up() is Verb.CHANGE
    assert world.now["tags"] == ["aws", "glue", "nightly", "of-a-person"]


def test_tags_that_the_version_before_applied_are_known() -> None:
    """Its record has one mark for all of them."""
    world = World(tags=["orders"])
    world.up()
    (record,) = [row for row in world.server.rows.values() if row["value"]["noun"] == "deployment"]
    marks = record["value"]["marks"]["production"]
    for path in [each for each in marks if each.startswith("tags.")]:
        del marks[path]
    marks["tags"] = mark(["aws", "glue", "orders"])
    assert world.up() is Verb.SAME
    assert world.now["tags"] == ["aws", "glue", "orders"]


def test_a_work_pool_that_nobody_made_is_refused_before_anything_is_done() -> None:
    world = World(work_pool="flinkglue-kubernets")
    with pytest.raises(InvalidInput, match=rf"{NEW}.work_pool: 'flinkglue-kubernets'"):
        world.up()
    assert world.changes() == []
    world.server.pools["flinkglue-kubernets"] = {"base_job_template": {}}
    assert world.up() is Verb.CREATE


def test_a_work_pool_of_the_same_file_is_known_before_it_is_made() -> None:
    world = World(work_pool="later", job_variables={"stream_output": False})
    world.pools = {"later": WorkPool(type="process")}
    assert world.up() is Verb.CREATE


@pytest.mark.parametrize("variables", [{"imag": "a"}, {"stream_output": 5}])
def test_a_job_variable_that_the_pool_does_not_take_is_refused(variables: dict[str, Any]) -> None:
    """Prefect ignores a name that it does not know, and refuses a value late."""
    world = World()
    world.up()
    done = len(world.changes())
    world.file = {"job_variables": variables}
    with pytest.raises(InvalidInput, match=rf"{NEW}.job_variables.{next(iter(variables))}"):
        world.up()
    assert len(world.changes()) == done


def test_environment_variables_and_what_a_worker_fills_in_are_taken() -> None:
    template = "{{ prefect.blocks.secret.name }}"
    world = World(job_variables={"env": {"A": "1"}, "stream_output": template})
    assert world.up() is Verb.CREATE


def test_a_deployment_that_somebody_moved_keeps_its_pool_and_takes_that_pool_s_variables() -> None:
    world = World()
    world.up()
    template = {"variables": {"properties": {"image": {"type": "string"}}}}
    world.server.pools["containers"] = {"base_job_template": template}
    world.now["work_pool_name"] = "containers"
    world.file = {"job_variables": {"image": "i"}}
    assert world.up() is Verb.CHANGE
    assert (world.now["work_pool_name"], world.now["job_variables"]["image"]) == ("containers", "i")


def test_what_is_added_to_a_schedule_that_somebody_deleted_is_refused() -> None:
    world = World(schedules={"nightly": {"cron": "0 4 * * *"}})
    world.up()
    world.now["schedules"].clear()
    assert world.up() is Verb.SAME
    world.file = {"schedules": {"nightly": {"cron": "0 4 * * *", "timezone": "Europe/Berlin"}}}
    with pytest.raises(InvalidInput, match=r"schedules.nightly.*somebody deleted this schedule"):
        world.up()
    world.up(overwrite=True)
    (schedule,) = world.now["schedules"]
    assert schedule["schedule"] == {"cron": "0 4 * * *", "timezone": "Europe/Berlin"}


def test_that_flow_runs_get_the_code_of_another_checkout_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Two people set the same server up, each from a checkout of their own."""
    world = World(code_directory="/home/a/flows")
    world.up()
    world.file = {"code_directory": "/home/b/flows"}
    world.up(told=True)
    assert "pull_steps: /home/a/flows → /home/b/flows" in capsys.readouterr().out
    world.now["pull_steps"] = [{"prefect.deployments.steps.git_clone": {"access_token": "s3cr3t"}}]
    world.up(told=True)
    told = capsys.readouterr().out
    assert "pull_steps: git_clone → /home/b/flows" in told
    assert "s3cr3t" not in told
    assert "s3cr3t" not in json.dumps(as_json(world.steps, dry_run=False))
