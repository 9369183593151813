"""An environment on a real server: set up, repeated, changed by people, taken away again."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from copy import deepcopy
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.states import Pending

from infra.setup.__main__ import main

NIGHTLY = "glue-job/orders-nightly"
WATCHED = {"job_names": ["clicks"], "cluster": "flink-rest-cluster/flink"}
FILE: dict[str, Any] = {
    "concurrency_limits": {"warehouse": {"limit": 5}},
    "deployments": {
        "glue-connection-health": {"parameters": {"minimum_free_addresses": 20}},
        NIGHTLY: {
            "parameters": {"job_name": "orders", "strategy": "capacity"},
            "schedules": {"nightly": {"cron": "30 2 * * *", "timezone": "Europe/Berlin"}},
            "concurrency_limit": {"limit": 1, "collision_strategy": "CANCEL_NEW"},
            "tags": ["orders"],
        },
        "flink-watch/enqueued": {"parameters": WATCHED, "concurrency_limit": 1},
    },
}
PARAMETERS = {**FILE["deployments"][NIGHTLY]["parameters"], "aws_credentials": "aws"}
"""With what prefect.yaml has for all deployments of the flow."""


class World:
    """A server, and the file of its environment."""

    def __init__(self, client: SyncPrefectClient, file: Path) -> None:
        self.client = client
        self._file = file

    def beside(self, name: str) -> World:
        """The same server with another file."""
        return World(self.client, self._file.with_name(name))

    def write(self, document: Any) -> None:
        self._file.write_text(yaml.safe_dump(document))

    def run(self, command: str, *options: str) -> tuple[int, str]:
        """The exit code and what was printed."""
        code, out, err = self.printed(command, *options)
        return code, out + err

    def printed(self, command: str, *options: str) -> tuple[int, str, str]:
        """The exit code, and what was printed on standard output and standard error."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = main([command, str(self._file), *options])
        return code, out.getvalue(), err.getvalue()

    def deployment(self, name: str = NIGHTLY) -> dict[str, Any]:
        answer = self.client.request("GET", f"/deployments/name/{name}")  # type: ignore[arg-type]
        found: dict[str, Any] = answer.json()
        return found

    def patch(self, path: str, body: Any) -> None:
        self.client.request("PATCH", path, json=body)  # type: ignore[arg-type]

    def delete(self, path: str) -> None:
        self.client.request("DELETE", path)  # type: ignore[arg-type]

    def post(self, path: str, body: Any) -> Any:
        return self.client.request("POST", path, json=body).json()  # type: ignore[arg-type]

    def everything(self) -> dict[str, Any]:
        """All that can be set up, with the times of its last change."""
        kinds = ("deployments", "work_pools", "v2/concurrency_limits", "automations", "variables")
        found = {kind: self.post(f"/{kind}/filter", {}) for kind in kinds}
        for each in found["deployments"]:
            each.pop("last_polled")
        return found


@pytest.fixture(scope="module")
def world(prefect_files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with get_client(sync_client=True) as client:
        world = World(client, tmp_path_factory.mktemp("deployments") / "testing.yaml")
        world.write(FILE)
        code, told = world.run("up", "--overwrite")  # of what other tests left on this server
        assert code == 0, told
        yield world
        world.write(FILE)
        world.run("down")


def test_a_second_time_nothing_is_changed(world: World) -> None:
    before = world.everything()
    code, told = world.run("up")
    assert (code, "unchanged" in told, "create" in told) == (0, True, False)
    assert world.everything() == before


def test_it_is_as_the_file_says(world: World) -> None:
    nightly = world.deployment()
    assert nightly["parameters"] == PARAMETERS
    assert nightly["tags"] == ["aws", "glue", "orders"]
    assert nightly["global_concurrency_limit"]["limit"] == 1
    assert nightly["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"
    (schedule,) = nightly["schedules"]
    assert schedule["slug"] == "nightly"
    assert schedule["active"]
    assert schedule["schedule"]["cron"] == "30 2 * * *"
    assert schedule["schedule"]["timezone"] == "Europe/Berlin"


def test_a_schedule_makes_runs_for_its_times(world: World) -> None:
    deployment_id = world.deployment()["id"]
    world.post(f"/deployments/{deployment_id}/schedule", {"min_runs": 3, "max_runs": 3})
    runs = world.post(
        "/flow_runs/filter",
        {"deployments": {"id": {"any_": [deployment_id]}}, "sort": "EXPECTED_START_TIME_ASC"},
    )
    planned = [run for run in runs if run["auto_scheduled"]]
    assert len(planned) >= 3
    for run in planned:
        assert run["expected_start_time"][11:16] in {"00:30", "01:30"}  # 02:30 in Berlin
        assert run["parameters"] == PARAMETERS


def test_what_the_file_does_not_name_stays_as_people_set_it(world: World) -> None:
    watch = world.deployment("flink-watch/flink-watch")
    there = {"parameters": WATCHED, "tags": [*watch["tags"]]}
    world.patch(f"/deployments/{watch['id']}", there)
    hourly = {"schedule": {"cron": "0 * * * *", "timezone": "UTC"}, "active": True}
    world.post(f"/deployments/{watch['id']}/schedules", [hourly])
    code, told = world.run("up")
    assert (code, "unchanged" in told) == (0, True)
    watch = world.deployment("flink-watch/flink-watch")
    assert watch["parameters"] == WATCHED
    assert [each["schedule"]["cron"] for each in watch["schedules"]] == ["0 * * * *"]


def test_a_persons_change_of_what_the_file_names_is_shown_and_stays_until_overwritten(
    world: World,
) -> None:
    nightly = world.deployment()
    parameters = {**PARAMETERS, "strategy": "random", "region": "eu-west-1"}
    world.patch(f"/deployments/{nightly['id']}", {"parameters": parameters})
    schedule_id = nightly["schedules"][0]["id"]
    world.patch(f"/deployments/{nightly['id']}/schedules/{schedule_id}", {"active": False})
    code, told = world.run("up")
    assert code == 4
    assert "parameters.strategy: random → capacity" in told
    assert "schedules.nightly.active: false → true" in told
    assert world.deployment()["parameters"] == parameters
    code, out, err = world.printed("up", "--overwrite", "--dry-run", "--json")
    assert "parameters.strategy: random → capacity" in err
    (step,) = [each for each in json.loads(out)["steps"] if each["name"] == NIGHTLY]
    assert [each["field"] for each in step["changes"]] == [
        "parameters.strategy",
        "schedules.nightly.active",
    ]
    assert world.deployment()["parameters"] == parameters
    code, told = world.run("up", "--overwrite")
    assert code == 0
    assert world.deployment()["parameters"] == {**parameters, "strategy": "capacity"}
    assert world.deployment()["schedules"][0]["active"]


def test_a_new_version_of_the_file_is_applied(world: World) -> None:
    changed = deepcopy(FILE)
    nightly = changed["deployments"][NIGHTLY]
    nightly["schedules"]["nightly"]["cron"] = "0 4 * * *"
    nightly["schedules"]["weekly"] = {"interval": 604800}
    del nightly["parameters"]["strategy"]
    changed["concurrency_limits"]["warehouse"]["limit"] = 6
    world.write(changed)
    before = world.everything()
    code, told = world.run("up", "--dry-run")
    assert (code, "Dry run" in told) == (0, True)
    assert world.everything() == before
    code, told = world.run("up")
    assert code == 0, told
    after = world.deployment()
    assert "strategy" not in after["parameters"]
    assert {each["slug"] for each in after["schedules"]} == {"nightly", "weekly"}
    world.write(FILE)  # a schedule that has left the file goes
    world.run("up")
    assert [each["slug"] for each in world.deployment()["schedules"]] == ["nightly"]


def test_the_file_of_another_environment_takes_nothing_back(world: World) -> None:
    before = world.deployment()
    other = world.beside("other.yaml")
    other.write({"deployments": {NIGHTLY: {"tags": ["orders"]}}})
    code, told = other.run("up")
    assert (code, "unchanged" in told) == (0, True)
    assert world.deployment() == before
    code, told = other.run("down")
    assert (code, "delete    " in told) == (0, False), told
    assert f"left      deployment {NIGHTLY}: it is set up from" in told


def test_what_has_left_the_file_is_deleted_when_asked(world: World) -> None:
    without = deepcopy(FILE)
    del without["deployments"][NIGHTLY]
    world.write(without)
    code, told = world.run("up")
    assert (code, f"left      deployment {NIGHTLY}" in told) == (0, True)
    assert world.deployment()["name"] == "orders-nightly"
    world.run("up", "--prune")
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        world.deployment()
    world.write(FILE)
    world.run("up")


@pytest.mark.parametrize(
    ("name", "second"),
    [(NIGHTLY, "Cancelled"), ("flink-watch/enqueued", "AwaitingConcurrencySlot")],
)
def test_one_run_too_many_is_dealt_with_by_the_strategy(
    world: World, name: str, second: str
) -> None:
    def submitted() -> FlowRun:
        """As a worker does it."""
        run = world.client.create_flow_run_from_deployment(world.deployment(name)["id"])
        world.client.set_flow_run_state(run.id, Pending())
        return world.client.read_flow_run(run.id)

    states = [submitted().state_name for _ in range(2)]
    assert states == ["Pending", second]


def test_down_deletes_what_up_created_and_leaves_the_rest(world: World) -> None:
    limits = {"limit": 1}
    world.post("/v2/concurrency_limits/", {"name": "of-others", **limits})
    world.write(
        {**FILE, "concurrency_limits": {"warehouse": {"limit": 5}, "of-others": {"limit": 1}}}
    )
    world.run("up")
    code, told = world.run("down", "--dry-run")
    assert (code, f"delete    deployment {NIGHTLY}" in told) == (0, True)
    assert world.deployment()
    code, told = world.run("down")
    assert (code, "left      concurrency limit of-others" in told) == (0, True)
    there = world.everything()
    assert [each["name"] for each in there["v2/concurrency_limits"]].count("of-others") == 1
    assert "warehouse" not in [each["name"] for each in there["v2/concurrency_limits"]]
    assert "orders-nightly" not in [each["name"] for each in there["deployments"]]
    assert world.run("down")[0] == 0
    world.delete("/v2/concurrency_limits/of-others")


def test_a_deployment_of_an_earlier_name_hands_its_settings_on(world: World) -> None:
    flow_id = world.post("/flows/", {"name": "upload-flink-jar"})["id"]
    schedule = {"cron": "0 5 * * *", "timezone": "UTC"}
    body = {
        "flow_id": flow_id,
        "name": "flink-jar-upload",
        "parameters": {"jar_path": "orders.jar"},
        "schedules": [{"schedule": schedule, "active": True}],
    }
    world.post("/deployments/", body)
    code, told = world.run("up", "--dry-run")
    assert (code, "with the settings of upload-flink-jar/flink-jar-upload" in told) == (0, True)
    assert not world.deployment("upload-flink-jar/flink-jar-upload")["paused"]
    world.run("up")
    now = world.deployment("flink-jar-upload/flink-jar-upload")
    assert now["parameters"] == {"jar_path": "orders.jar"}
    assert [each["schedule"]["cron"] for each in now["schedules"]] == ["0 5 * * *"]
    earlier = world.deployment("upload-flink-jar/flink-jar-upload")
    assert earlier["paused"]
    assert world.run("up")[0] == 0
    world.delete(f"/deployments/{earlier['id']}")
