"""Automations from files of people's own, and what a server has of the same name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import httpx
import pytest
import yaml
from prefect.client.orchestration import SyncPrefectClient

from flinkglue.errors import InvalidInput
from flinkglue.prefect.store.server_records import ServerRecords
from infra.setup.environment import Automation
from infra.setup.execution import execute
from infra.setup.kinds.automations import Automations
from infra.setup.plan import Step, Verb, plan_of
from infra.setup.record import AppliedRecords
from infra.setup.server import Server
from tests.unit.lifecycle.fake_flink_jobs import Clock
from tests.unit.prefect.variables_on_the_wire import FakeVariables

MANY = [f"flink-job.{condition}" for condition in "abcdefghijklmnopqrstuvwxyz"]


def document(**other: Any) -> dict[str, Any]:
    """A file whose trigger is of many events."""
    trigger = {"type": "event", "posture": "Reactive", "expect": MANY, "for_each": ["x", "y"]}
    actions = [{"type": "do-nothing"}]
    return {"name": "unhealthy", "trigger": trigger, "actions": actions, **other}


class FakeAutomations(FakeVariables):
    """The server's automations.

    As in prefect.server.api.automations of 3.8: a PUT replaces all of one, and the sets of a
    trigger (after, expect, for_each) come in any order, which differs between processes.
    """

    def __init__(self, *, has_tags: bool = True) -> None:
        super().__init__(Clock())
        self._tags: dict[str, Any] = {"tags": []} if has_tags else {}
        self.automations: list[dict[str, Any]] = []

    def up(self, directory: Path, given: dict[str, Any]) -> Step:
        """What became of the automation in a file."""
        file = directory / "automation.yaml"
        file.write_text(yaml.safe_dump(given))
        client = cast(SyncPrefectClient, self.client())
        kinds = [Automations(Server(client), [Automation(file=file)])]
        records = AppliedRecords(ServerRecords(client, self.clock))
        (step,) = execute(plan_of(kinds, records, "a"), records, "a", lambda step: None)
        return step

    def _handled(self, request: httpx.Request) -> tuple[int, Any]:
        path = request.url.path.removeprefix("/api")
        if not path.startswith("/automations/"):
            return super()._handled(request)
        body = json.loads(request.content)
        if path == "/automations/filter":
            return 200, self.automations
        if "tags" in body and not self._tags:
            return 422, {"detail": "Extra inputs are not permitted"}
        self.automations = [{"id": str(uuid4()), **self._tags, "description": "", **body}]
        return 201, self.automations[0]


def test_a_new_version_of_its_file_is_applied_whatever_order_the_server_has(tmp_path: Path) -> None:
    server = FakeAutomations()
    server.up(tmp_path, document())
    trigger = server.automations[0]["trigger"]
    trigger |= {"expect": [*reversed(trigger["expect"])]}
    requests = len(server.requests)
    assert server.up(tmp_path, document()).verb is Verb.SAME
    assert not [each for each in server.requests[requests:] if "filter" not in each]
    changed = document()
    changed["trigger"] = {**changed["trigger"], "expect": MANY[1:]}
    step = server.up(tmp_path, changed)
    assert (step.verb, step.kept) == (Verb.CHANGE, [])


def test_tags_that_people_gave_it_stay(tmp_path: Path) -> None:
    server = FakeAutomations()
    server.up(tmp_path, document())
    server.automations[0]["tags"] = ["on-call"]
    assert server.up(tmp_path, document(description="Changed.")).verb is Verb.CHANGE
    assert server.automations[0]["tags"] == ["on-call"]


def test_tags_of_the_file_are_set(tmp_path: Path) -> None:
    server = FakeAutomations()
    server.up(tmp_path, document(tags=["on-call"]))
    assert server.automations[0]["tags"] == ["on-call"]
    assert server.up(tmp_path, document(tags=["on-call"])).verb is Verb.SAME


def test_a_server_from_before_automations_had_tags_takes_a_change(tmp_path: Path) -> None:
    """Its API refuses what it does not know."""
    server = FakeAutomations(has_tags=False)
    server.up(tmp_path, document())
    assert server.up(tmp_path, document(enabled=False)).verb is Verb.CHANGE
    assert server.automations[0]["enabled"] is False


def test_one_that_only_a_newer_server_understands_stays_as_it_is(tmp_path: Path) -> None:
    server = FakeAutomations()
    server.up(tmp_path, document())
    newer = [{"type": "of-a-later-version", "colour": "red"}]
    server.automations[0]["actions"] = newer
    step = server.up(tmp_path, document())
    assert [each.path for each in step.kept] == ["actions"]
    assert server.automations[0]["actions"] == newer


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"actions_on_triger": []}, "actions_on_triger"),
        ({"trigger": {"type": "event", "for_eech": ["a"]}}, "trigger.for_eech"),
        ({"actions": [{"type": "do-nothing", "bodi": "a"}]}, "actions.0.bodi"),
        (
            {"trigger": {"type": "compound", "require": "any", "triggers": [{"expct": ["a"]}]}},
            "trigger.triggers.0.expct",
        ),
    ],
)
def test_a_misspelt_key_is_refused_instead_of_ignored(
    wrong: dict[str, Any], named: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match=named):
        FakeAutomations().up(tmp_path, document(**wrong))


def test_what_prefect_exports_is_taken(tmp_path: Path) -> None:
    """`prefect automation inspect NAME --yaml` has what the server sets, too."""
    exported = document(id=str(uuid4()), created="2026-11-30T04:00:00Z", owner_resource=None)
    exported["trigger"] |= {"id": str(uuid4()), "match": {"prefect.resource.id": "flink-job.*"}}
    assert FakeAutomations().up(tmp_path, exported).verb is Verb.CREATE
