"""Blocks and automations on a real server, and `prefect deploy` beside what people set."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import get_current_settings

from flinkglue.blocks.flink import FlinkRestCluster
from tests.harness.setup.test_environments import World

# The package behind Prefect's notification blocks still imports it.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
ROOT = Path(__file__).resolve().parents[3]
EXHAUSTED = "docs/automations/glue-job-exhausted.yaml"
FILE: dict[str, Any] = {
    "blocks": {
        "aws-credentials/setup-aws": {
            "region_name": "eu-central-1",
            "aws_access_key_id": "AKIAEXAMPLE",
            "aws_secret_access_key": {"env": "SETUP_AWS_SECRET"},
        },
        "flink-rest-cluster/setup-flink": {
            "url": "https://flink.example.com",
            "sign_in": "bearer",
            "token": {"env": "SETUP_FLINK_TOKEN"},
        },
        "slack-webhook/on-call": {"url": {"env": "SETUP_SLACK_URL"}},
    },
    "automations": [{"file": EXHAUSTED, "notify": "slack-webhook/on-call"}],
}
SECRETS = {
    "SETUP_AWS_SECRET": "secret-of-aws",
    "SETUP_FLINK_TOKEN": "secret-of-flink",
    "SETUP_SLACK_URL": "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/secret-of-slack",
}


@pytest.fixture(scope="module")
def world(prefect_files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    os.environ.update(SECRETS)
    with get_client(sync_client=True) as client:
        world = World(client, tmp_path_factory.mktemp("deployments") / "objects.yaml")
        world.write(FILE)
        code, told = world.run("up", "--overwrite")
        assert code == 0, told
        assert "secret-of" not in told
        yield world
        world.write(FILE)
        world.run("down")
        for name in SECRETS:
            del os.environ[name]


def automations(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.post("/automations/filter", {})
    return [each for each in found if each["name"] == "glue-job-exhausted"]


def test_blocks_have_their_secrets_and_are_saved_once(world: World) -> None:
    flink = FlinkRestCluster.load("setup-flink")
    assert flink.token is not None
    assert flink.token.get_secret_value() == "secret-of-flink"
    code, told = world.run("up")
    assert (code, told.split()[1:]) == (0, ["unchanged"]), told
    assert "secret-of" not in str(world.everything()["variables"])


def test_a_secret_that_was_rotated_is_changed_and_not_shown(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SETUP_FLINK_TOKEN", "secret-of-later")
    code, told = world.run("up")
    assert (code, "secret-of" in told) == (0, False)
    assert "token: ******** → ********" in told
    flink = FlinkRestCluster.load("setup-flink")
    assert flink.token is not None
    assert flink.token.get_secret_value() == "secret-of-later"


def test_an_automation_is_there_once_however_often_it_is_set_up(world: World) -> None:
    world.run("up")
    (there,) = automations(world)
    action = there["actions"][0]
    block = world.client.request("GET", f"/block_documents/{action['block_document_id']}")  # type: ignore[arg-type]
    assert block.json()["name"] == "on-call"


def test_copies_that_were_made_by_hand_are_shown_and_deleted_when_asked(world: World) -> None:
    (there,) = automations(world)
    world.post("/automations/", {key: there[key] for key in ("name", "trigger", "actions")})
    code, told = world.run("up")
    assert (code, "copies: 2 → 1" in told) == (4, True)
    assert len(automations(world)) == 2
    code, _ = world.run("up", "--overwrite")
    assert (code, len(automations(world))) == (0, 1)


def test_a_notification_block_that_is_not_there_is_named(world: World) -> None:
    world.write({"automations": [{"file": EXHAUSTED, "notify": "slack-webhook/nobody"}]})
    code, told = world.run("up", "--overwrite")
    assert (code, "slack-webhook/nobody" in told) == (2, True)
    world.write(FILE)


def test_prefect_deploy_all_refuses_to_undo_before_it_deploys_any(world: World) -> None:
    """Also what comes before the deployments that have something to lose."""
    names = ("flink-word-count", "glue-run-wait", "glue-run-sweep", "glue-connection-health")
    for name in names[2:]:
        world.patch(
            f"/deployments/{world.deployment(f'{name}/{name}')['id']}",
            {"parameters": {"aws_credentials": "aws", "job_names": ["orders"]}},
        )
    before = [world.deployment(f"{name}/{name}") for name in names]
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"],
        cwd=ROOT,
        env={**os.environ, **get_current_settings().to_environment_variables(), "PWD": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    told = " ".join((done.stderr + done.stdout).split())
    for name in names[2:]:
        assert f"{name}/{name} (parameters job_names)" in told
    assert [world.deployment(f"{name}/{name}") for name in names] == before
    for each in before[2:]:
        world.patch(f"/deployments/{each['id']}", {"parameters": {"aws_credentials": "aws"}})
