"""Automations, by name: one of each, however often it is set up."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

from prefect.events.schemas.automations import AutomationCore
from pydantic import ValidationError

from flinkglue.errors import InvalidInput
from infra.setup.environment import Automation
from infra.setup.fields import ABSENT, FieldChange, Fields
from infra.setup.kinds.kind import Kind, Observed
from infra.setup.server import Server
from infra.setup.yaml_file import read_yaml_file

_PLACEHOLDER = "00000000-0000-0000-0000-000000000000"
_NOTIFYING = {"send-notification", "call-webhook"}
_ACTIONS = ("actions", "actions_on_trigger", "actions_on_resolve")
_FIELDS = ("description", "enabled", "tags", "trigger", *_ACTIONS)
_SETS = ("after", "expect", "for_each")
_OF_THE_SERVER = frozenset({"id", "created", "updated", "owner_resource"})
"""What an automation has that was exported by `prefect automation inspect`."""
COPIES = "copies"
"""How many automations there are of one name; more than one all act."""


class Automations(Kind):
    """Automations from files.

    Args:
        server: The server.
        automations: What an environment says of them.
        blocks: Blocks that are set up before them, by TYPE/NAME.
    """

    noun = "automation"

    def __init__(
        self, server: Server, automations: Sequence[Automation], blocks: Container[str] = ()
    ) -> None:
        self._server = server
        self._desired: dict[str, Fields] = {}
        for each in automations:
            name, fields = _read(each)
            if name in self._desired:
                raise InvalidInput(
                    f"automations.{each.file}", name, "a name that no other automation here has"
                )
            self._desired[name] = fields
        self._blocks = blocks

    def desired(self) -> Mapping[str, Fields]:
        return self._desired

    def observe(self, name: str) -> Observed | None:
        body = {"automations": {"name": {"any_": [name]}}, "sort": "CREATED_DESC"}
        found = self._server.post("/automations/filter", body=body)
        if not found:
            return None
        oldest = found[-1]
        fields = {field: oldest[field] for field in _FIELDS if field in oldest}
        fields |= {field: self._with_names(oldest.get(field)) for field in _ACTIONS}
        try:
            normal = _normal({"name": name, **fields})
            fields = {field: normal[field] for field in fields}  # an older server has no tags
        except ValidationError:
            pass  # a newer server, or Prefect Cloud, knows more than the client: it differs
        return Observed({**fields, COPIES: len(found)}, found)

    def check(self, name: str, observed: Observed | None, changes: Sequence[FieldChange]) -> None:
        if observed is not None and not changes:
            return
        for each in (action for field in _ACTIONS for action in self._desired[name][field] or ()):
            block = str(each.get("block_document_id") or "")
            if "/" in block and block not in self._blocks:
                self._id_of(name, block)

    def create(self, name: str, fields: Fields) -> None:
        self._server.post("/automations/", body=self._body(name, fields))

    def update(self, name: str, observed: Observed, changes: Sequence[FieldChange]) -> None:
        *copies, oldest = observed.raw
        changed = {each.path: each.after for each in changes if each.after is not ABSENT}
        merged = {**observed.fields, **changed}
        self._server.put("/automations/{}", oldest["id"], body=self._body(name, merged))
        for copy in copies if COPIES in changed else ():
            self._server.delete("/automations/{}", copy["id"])

    def delete(self, name: str) -> None:
        if observed := self.observe(name):
            self._server.delete("/automations/{}", observed.raw[-1]["id"])

    def _body(self, name: str, fields: Fields) -> dict[str, Any]:
        body = {"name": name, **{each: fields[each] for each in _FIELDS if each in fields}}
        return body | {each: self._with_ids(name, body.get(each) or []) for each in _ACTIONS}

    def _with_ids(self, name: str, actions: Sequence[Any]) -> list[Any]:
        return [
            {**each, "block_document_id": self._id_of(name, each["block_document_id"])}
            if "/" in str(each.get("block_document_id") or "")
            else each
            for each in actions
        ]

    def _id_of(self, name: str, block: str) -> str:
        found = self._server.block(block)
        if found is None:
            raise InvalidInput(
                f"automations.{name}.notify", block, "the TYPE/NAME of a saved notification block"
            )
        return str(found["id"])

    def _with_names(self, actions: Sequence[Any] | None) -> list[Any]:
        named = []
        for each in deepcopy(list(actions or ())):
            if block_id := each.get("block_document_id"):
                found = self._server.get("/block_documents/{}", block_id)
                if found is not None:
                    slug = found["block_type"]["slug"]
                    each["block_document_id"] = f"{slug}/{found['name']}"
            named.append(each)
        return named


def _read(entry: Automation) -> tuple[str, Fields]:
    field = f"automations.{entry.file}"
    document = read_yaml_file(field, entry.file)
    try:
        parsed = AutomationCore.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise InvalidInput(
            field, str(entry.file), f"an automation: {where}: {first['msg']}"
        ) from None
    known = parsed.model_dump(mode="json")
    for unknown, allowed in _unknown_keys(document, known):
        raise InvalidInput(f"{field}.{unknown}", unknown, f"one of {allowed}")
    if entry.enabled is not None:
        document["enabled"] = entry.enabled
    for each in (action for name in _ACTIONS for action in document.get(name) or ()):
        if each.get("type") in _NOTIFYING and each.get("block_document_id") in (None, _PLACEHOLDER):
            if entry.notify is None:
                raise InvalidInput(
                    f"{field}.notify",
                    each.get("block_document_id"),
                    "the TYPE/NAME of a saved notification block, such as slack-webhook/on-call",
                )
            each["block_document_id"] = entry.notify
    fields = _normal(document)
    if "tags" not in document:
        del fields["tags"]  # they are people's
    return str(document["name"]), {**fields, COPIES: 1}


def _unknown_keys(given: Any, known: Any, within: str = "") -> Iterator[tuple[str, str]]:
    """What Prefect would ignore, with what there is in its place: a condition would be missing."""
    if isinstance(given, Mapping) and isinstance(known, Mapping):
        allowed = ", ".join(sorted(known.keys() - _OF_THE_SERVER))
        for key, value in given.items():
            if key in known:
                yield from _unknown_keys(value, known[key], f"{within}{key}.")
            elif key not in _OF_THE_SERVER:
                yield f"{within}{key}", allowed
    if isinstance(given, list) and isinstance(known, list):
        for number, (value, of_it) in enumerate(zip(given, known, strict=False)):
            yield from _unknown_keys(value, of_it, f"{within}{number}.")


def _sorted(trigger: Mapping[str, Any]) -> dict[str, Any]:
    """With its sets in one order: as they are, each process has them in another."""
    ordered = {key: sorted(trigger[key]) for key in _SETS if key in trigger}
    if "triggers" in trigger:
        ordered["triggers"] = [_sorted(each) for each in trigger["triggers"]]
    return {**trigger, **ordered}


def _normal(document: Mapping[str, Any]) -> dict[str, Any]:
    """With all defaults, so that the file and the server can be compared; blocks by name."""
    named = deepcopy(dict(document))
    blocks: list[tuple[str, int, Any]] = []
    for field in _ACTIONS:
        for number, each in enumerate(named.get(field) or ()):
            if "block_document_id" in each:
                blocks.append((field, number, each["block_document_id"]))
                each["block_document_id"] = _PLACEHOLDER
    dumped = AutomationCore.model_validate(named).model_dump(mode="json", include={*_FIELDS})
    for field, number, block in blocks:
        dumped[field][number]["block_document_id"] = block
    return {**dumped, "trigger": _sorted(dumped["trigger"])}
