"""Every form as Prefect's server and pages get it: what it offers, and how it refuses."""

from __future__ import annotations

import importlib
import inspect
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools.validation import ValidationError, validate

from flinkglue.blocks.any_block import any_block_of
from flinkglue.blocks.flink_choice import cluster_of
from flinkglue.errors import InvalidInput
from flinkglue.glue.placement.strategies import STRATEGIES
from flinkglue.prefect.forms.form_flow import FormFlow
from flinkglue.prefect.forms.form_signature import A_PICKER

ROOT = Path(__file__).resolve().parents[3]
DEPLOYMENTS = {
    each["name"]: each
    for each in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
}
WITHOUT_DEFAULT = ("flink-job-action", "flink-savepoints", "flink-watch")
"""Whose cluster is named for each deployment or run: the wrong one is the wrong job."""
GOOD = {
    "glue-job": {"job_name": "orders", "aws_credentials": "aws"},
    "flink-job-action": {
        "action": "STOP",
        "job_name": "orders",
        "cluster": "flink-rest-cluster/flink",
    },
    "flink-watch": {"job_names": ["orders"], "cluster": "flink-rest-cluster/flink"},
}


@cache
def form(deployment: str) -> FormFlow[Any, Any]:
    path, _, name = DEPLOYMENTS[deployment]["entrypoint"].partition(":")
    module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    found = getattr(module, name)
    assert isinstance(found, FormFlow)
    return found


@cache
def schema(deployment: str) -> dict[str, Any]:
    """As `prefect deploy` sends it."""
    return parameter_schema(form(deployment)).model_dump_for_openapi()


def check(deployment: str, parameters: dict[str, Any]) -> None:
    """As the server does when a run is made; the deployment's own parameters are filled in."""
    own = DEPLOYMENTS[deployment].get("parameters", {})
    validate({**own, **parameters}, schema(deployment), raise_on_error=True)


def own_fields(deployment: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """All fields that this project describes, by their places; those of blocks are on their own."""
    whole = schema(deployment)
    groups = {
        name: definition
        for name, definition in whole.get("definitions", {}).items()
        if "block_type_slug" not in definition
    }
    yield from whole["properties"].items()
    seen: set[str] = set()
    wanted = [*references(whole["properties"])]
    while wanted:
        name = wanted.pop()
        if name in seen or name not in groups:
            continue
        seen.add(name)
        properties = groups[name].get("properties", {})
        yield from ((f"{name}.{field}", shown) for field, shown in properties.items())
        wanted += references(properties)


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"].rpartition("/")[2]
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from references(each)


def found_keys(part: Any, key: str) -> Iterator[Any]:
    if isinstance(part, dict):
        if key in part:
            yield part[key]
        part = [value for name, value in part.items() if name != "if"]
    if isinstance(part, list):
        for each in part:
            yield from found_keys(each, key)


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_no_row_is_of_type_none(deployment: str) -> None:
    """A value that may be left out is no value or null: the pages show a tab for each."""
    for name, field in own_fields(deployment):
        assert "null" not in found_keys(field, "type"), name
        assert field.get("default", ...) is not None, name


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_empty_means_empty(deployment: str) -> None:
    """The pages leave out what is emptied, so that the default counts; an off switch is false."""
    for name, field in own_fields(deployment):
        if "mpty: " in field.get("description", ""):
            assert field.get("default", "") in ("", [], {}), name
        assert field.get("type") != "boolean" or "default" in field, name


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_what_is_allowed_is_said_in_words(deployment: str) -> None:
    """Who does not match a pattern is shown that pattern, unless the schema only asks for it."""
    for name, field in own_fields(deployment):
        assert list(found_keys(field, "pattern")) == [], name


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_the_defaults_of_a_form_are_taken(deployment: str) -> None:
    """A page fills them in and sends them; what has none is left out."""
    whole = schema(deployment)
    for name, field in whole["properties"].items():
        if "default" in field:
            of_one = {"definitions": whole["definitions"], "properties": {name: field}}
            validate({name: field["default"]}, of_one, raise_on_error=True)


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_fields_are_labelled_by_their_names_and_described_in_sentences(deployment: str) -> None:
    """Both pages show the text in one paragraph, one of them as Markdown."""
    for name, field in own_fields(deployment):
        assert field["title"] == name.rpartition(".")[2]
        if "$ref" in field and "description" not in field:
            continue  # that of the group
        text = field["description"]
        assert text[0].isupper(), name
        assert text.endswith((".", "…")), name
        assert not re.search(r"\S@\S|\*|<|`|://\S|^\s*[-*] |\n\n", text, re.MULTILINE), name


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_a_block_that_is_not_picked_is_refused(deployment: str) -> None:
    """One of the pages sends its kind's default then, the other one nothing; no default block."""
    flow, required = form(deployment), schema(deployment)["required"]
    parameters = inspect.signature(flow.fn).parameters
    for name in flow.needed_blocks:
        assert name in required
        field = schema(deployment)["properties"][name]
        kinds = field["anyOf"]
        assert all(kind["description"] == A_PICKER for kind in kinds if "$ref" in kind)
        of_one = {"definitions": schema(deployment)["definitions"], "properties": {name: field}}
        for not_picked in [None, *(kind["default"] for kind in kinds if "$ref" in kind)]:
            with pytest.raises(ValidationError, match="a saved block: pick one, or give its name"):
                validate({name: not_picked}, of_one, raise_on_error=True)
            with pytest.raises(InvalidInput, match="a saved block: pick one, or give its name"):
                flow.validate_parameters({name: not_picked})
        own = DEPLOYMENTS[deployment].get("parameters", {})
        if deployment in WITHOUT_DEFAULT:
            assert name not in own
            assert parameters[name].default is inspect.Parameter.empty
        elif parameters[name].default is not inspect.Parameter.empty:
            assert own[name] == parameters[name].default


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_what_is_allowed_is_shown_whole(deployment: str) -> None:
    """The page v1 shows a refusal as HTML: a name in angle brackets is not seen there."""
    assert re.findall(r"<[^>]*>", json.dumps(schema(deployment))) == []


@pytest.mark.parametrize("block_by_name", [cluster_of, any_block_of])
@pytest.mark.parametrize("value", ["no-such-type/x", "flink-rest-cluster/"])
def test_a_refused_type_of_a_block_is_answered_whole(
    block_by_name: Callable[[str, str], object], value: str
) -> None:
    """The page v1 shows what a flow run ended with as HTML, too."""
    with pytest.raises(InvalidInput, match="flink-rest-cluster/name or ") as refused:
        block_by_name("cluster", value)
    assert "<" not in str(refused.value)


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_a_list_of_blocks_stays_open_when_none_is_picked(deployment: str) -> None:
    """The page v2 shows the kind whose properties a value has, and says all that is wrong."""
    for name in form(deployment).needed_blocks:
        whole, field = schema(deployment), schema(deployment)["properties"][name]
        kinds = [kind for kind in field["anyOf"] if "$ref" in kind]
        for kind in kinds:
            assert [each for each in kinds if shown_for(kind["default"], each, whole)] == [kind]
            of_one = {"definitions": whole["definitions"], "properties": {name: field}}
            faults = [fault.message for fault in validate({name: kind["default"]}, of_one)]
            assert faults == ["'a saved block: pick one, or give its name' was expected"]


def shown_for(value: dict[str, Any], kind: dict[str, Any], whole: dict[str, Any]) -> bool:
    """Whether a value has properties of a kind."""
    definition = whole["definitions"][kind["$ref"].rpartition("/")[2]]
    return bool(value.keys() & definition["properties"].keys())


def as_the_first_page_sends_it(part: Any) -> Any:
    """The page v1 has a schema checked that lacks the keywords that it does not know."""
    if isinstance(part, list):
        return [as_the_first_page_sends_it(each) for each in part]
    if not isinstance(part, dict):
        return part
    unknown = ("if", "then", "else", "additionalProperties")
    return {
        name: as_the_first_page_sends_it(each) for name, each in part.items() if name not in unknown
    }


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
@pytest.mark.parametrize("seen_by", [dict, as_the_first_page_sends_it])
def test_a_block_that_is_picked_is_taken(deployment: str, seen_by: Any) -> None:
    """The server takes a block or a reference to one: what is both is neither."""
    whole = seen_by(schema(deployment))
    picked = {"$ref": {"block_document_id": "378bf10e-da06-460f-8de6-91e7addde19f"}}
    for name, field in whole["properties"].items():
        if any("block_type_slug" in whole["definitions"][each] for each in references(field)):
            of_one = {"definitions": whole["definitions"], "properties": {name: field}}
            validate({name: picked}, of_one, raise_on_error=True)


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_a_form_has_no_fields_of_blocks(deployment: str) -> None:
    """The server reads all of a schema for each run; what is filled in there would be shown."""
    for definition in schema(deployment).get("definitions", {}).values():
        if "block_type_slug" in definition:
            assert set(definition) == {
                "title", "type", "block_type_slug", "properties", "additionalProperties", "required"
            }  # fmt: skip
            assert list(definition["properties"]) == definition["required"]


def test_strategies_are_chosen_from_a_list() -> None:
    strategy = schema("glue-job")["properties"]["strategy"]
    assert strategy["enum"] == [*STRATEGIES, "custom"]
    with pytest.raises(ValidationError, match=r"'nearest' is not one of \['random', 'capacity'"):
        check("glue-job", GOOD["glue-job"] | {"strategy": "nearest"})


@pytest.mark.parametrize(
    ("deployment", "changed", "said"),
    [
        ("glue-job", {"job_name": " "}, "'a name that is not blank' was expected"),
        ("glue-job", {"region": "Ireland"}, "'a region by its code, for example eu-west-1'"),
        ("glue-job", {"run_options": {"worker_type": "big"}}, "'a worker type of Glue, for ex"),
        ("glue-job", {"retry_options": {"retries": 51}}, "51 is greater than the maximum of 50"),
        ("glue-job", {"wait_options": {"deadline": 5}}, "'deadline' was unexpected"),
        ("flink-job-action", {"program": {"jar": "orders.tar"}}, "whose last part ends in .jar"),
        ("flink-job-action", {"program": {"entry_class": "x y"}}, "'a full Java class name, for"),
        ("flink-job-action", {"advanced_options": {"job_id": "42"}}, "'a Flink job ID, 32 of 0-9"),
        ("flink-watch", {"health_options": {"max_restarts": -1}}, "-1 is less than the minimum"),
    ],
)
def test_the_server_refuses_in_words_before_there_is_a_run(
    deployment: str, changed: dict[str, Any], said: str
) -> None:
    check(deployment, GOOD[deployment])
    with pytest.raises(ValidationError, match=re.escape(said)) as refused:
        check(deployment, GOOD[deployment] | changed)
    assert next(iter(changed)) in str(refused.value)
