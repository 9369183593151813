"""What a person meets before one of the eleven actions: forms, the block, refusals by Prefect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.flows import Flow
from prefect.settings import Settings
from prefect.utilities.schema_tools.validation import ValidationError, validate
from pydantic import ValidationError as BlockError

from flinkglue.blocks.azure import HDInsightFlinkCluster
from flinkglue.blocks.azure_sign_in import EntraServicePrincipal
from flinkglue.blocks.flink import FlinkRestCluster, FlinkSignIn
from flinkglue.blocks.forms.flink_job import SilentRunOptions, request_of
from flinkglue.errors import InvalidInput
from flinkglue.lifecycle.models import Action
from flows.flink_job_action import flink_job_action
from flows.flink_savepoints import flink_savepoints
from flows.flink_watch import flink_watch

FLOWS = [flink_job_action, flink_savepoints, flink_watch]
CLUSTER = {"cluster": "flink-rest-cluster/flink"}
STOP = {"action": "STOP", "job_name": "orders", **CLUSTER}
JOBS = {"job_names": ["orders"], **CLUSTER}


def check(flow: Flow[Any, Any], parameters: dict[str, Any]) -> None:
    """Checks parameters as Prefect's server does when a run is made."""
    validate(parameters, flow.parameters.model_dump(), raise_on_error=True)


def test_a_watch_fails_for_an_unhealthy_job_without_observing_flow_runs_first() -> None:
    """That takes minutes, so it is left to deployments that name it."""
    assert SilentRunOptions().silent_minutes is None


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_every_parameter_is_described_in_the_form(flow: Flow[Any, Any]) -> None:
    """Prefect takes the description from the docstring's Args; a group may describe itself."""
    for name, shown in flow.parameters.properties.items():
        group = shown.get("$ref", "").rpartition("/")[2]
        texts = {**flow.parameters.definitions.get(group, {}), **shown}
        assert len(texts.get("description", "")) > 10, name


def test_every_field_of_the_block_is_described() -> None:
    """Title, description and an example."""
    for name, field in FlinkRestCluster.model_fields.items():
        assert field.title, name
        assert field.description, name
        assert field.examples, name


def test_the_action_is_a_drop_down() -> None:
    """With all eleven."""
    shown = flink_job_action.parameters.model_dump()["definitions"]["Action"]
    assert shown["enum"] == list(Action)


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
@pytest.mark.parametrize(
    "cluster",
    [
        "flink-rest-cluster/flink",
        "hdinsight-flink-cluster/hdinsight-flink",
        {"$ref": {"block_document_slug": "flink-rest-cluster/flink"}},
        {"$ref": {"block_document_id": "00000000-1111-2222-3333-444444444444"}},
    ],
    ids=str,
)
def test_a_cluster_can_be_chosen_named_or_referred_to(flow: Flow[Any, Any], cluster: Any) -> None:
    """Either kind."""
    check(flow, (STOP if flow is flink_job_action else JOBS) | {"cluster": cluster})


@pytest.mark.parametrize(
    ("flow", "changed", "field"),
    [
        (flink_job_action, {"action": "PAUSE"}, "action"),
        (flink_job_action, {"job_name": ""}, "job_name"),
        (flink_job_action, {"program": {"jar": "orders.tar"}}, "program.jar"),
        (flink_job_action, {"program": {"entry_class": "not a class"}}, "program.entry_class"),
        (flink_job_action, {"program": {"parallelism": 0}}, "program.parallelism"),
        (flink_job_action, {"state_options": {"restore_mode": "KEEP"}}, "restore_mode"),
        (flink_job_action, {"advanced_options": {"job_id": "42"}}, "advanced_options.job_id"),
        (flink_job_action, {"wait_options": {"on_cancel": "panic"}}, "wait_options.on_cancel"),
        (flink_job_action, {"wait_options": {"deadline_minutes": 0}}, "deadline_minutes"),
        (flink_savepoints, {"job_names": []}, "job_names"),
        (flink_savepoints, {"keep": 0}, "keep"),
        (flink_savepoints, {"max_age_days": 0}, "max_age_days"),
        (flink_watch, {"job_names": [""]}, "job_names"),
        (flink_watch, {"relaunch": "always"}, "relaunch"),
        (flink_watch, {"relaunch_options": {"max_relaunches": 0}}, "max_relaunches"),
        (flink_watch, {"health_options": {"every_seconds": 0}}, "every_seconds"),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_bad_input_is_refused_when_the_run_is_made(
    flow: Flow[Any, Any], changed: dict[str, Any], field: str
) -> None:
    """By Prefect's server, before there is a run at all."""
    good = STOP if flow is flink_job_action else JOBS
    check(flow, good)
    with pytest.raises(ValidationError, match=field):
        check(flow, good | changed)


def test_what_a_form_asks_for() -> None:
    """Empty fields ask for nothing; what does not go together is refused."""
    asked = request_of(flink_job_action.whole(STOP | {"advanced_options": {"drain": True}}))
    assert asked.drain
    assert asked.changes.given() == []
    assert asked.savepoint_path is None
    with pytest.raises(InvalidInput, match=r"args.*nothing for STOP"):
        request_of(flink_job_action.whole(STOP | {"program": {"args": ["--fast"]}}))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"url": "flink.example.com"}, "url"),
        ({"url": "https://user:hush@flink.example.com"}, "url\n.*without user and password"),
        ({"sign_in": "basic", "user_name": "flows"}, "password: is needed for the sign-in basic"),
        ({"sign_in": "bearer"}, "token: is needed for the sign-in bearer"),
        ({"sign_in": "mutual_tls"}, "client_certificate_file: is needed"),
        (
            {"url": "http://flink.example.com", "sign_in": "bearer", "token": "hush"},
            "must be https://",
        ),
        ({"timeout_seconds": 0}, "timeout_seconds"),
    ],
)
def test_a_block_that_cannot_work_is_refused(fields: dict[str, Any], said: str) -> None:
    """When it is saved, with the field's name; a secret does not cross an open wire."""
    with pytest.raises(BlockError, match=said):
        FlinkRestCluster(**{"url": "https://flink.example.com"} | fields)


def test_a_cluster_has_one_name_whatever_block_means_it() -> None:
    """Its jobs are remembered under it."""
    azure = {
        "subscription_id": "11111111-2222-3333-4444-555555555555",
        "resource_group": "Streaming",
        "cluster_pool_name": "pool1",
        "credentials": EntraServicePrincipal(),
    }
    named = FlinkRestCluster(url="https://flink.example.com", cluster_name="production")
    blocks = [
        FlinkRestCluster(url="https://flink.example.com/"),
        FlinkRestCluster(url="https://Flink.example.com", timeout_seconds=5),
        named,
        named.model_copy(update={"url": "https://flink2.example.com"}),
        HDInsightFlinkCluster(cluster_name="flink1", **azure),
        HDInsightFlinkCluster(cluster_name="FLINK1", flink_rest_url="https://f", **azure),
    ]
    names = [block.journal_name for block in blocks]
    assert names[0::2] == names[1::2]
    assert len(set(names)) == 3


def test_secrets_of_the_block_are_secrets() -> None:
    """Prefect hides and encrypts them by this."""
    secret = FlinkRestCluster.model_json_schema()["secret_fields"]
    assert sorted(secret) == [
        "client_key_password",
        "jars_header",
        "jars_query",
        "password",
        "token",
    ]
    block = FlinkRestCluster(
        url="https://flink.example.com", sign_in=FlinkSignIn.BEARER, token="hush"
    )
    assert "hush" not in f"{block!r} {block} {block.model_dump_json()}"


def test_every_run_repeats_what_a_busy_prefect_server_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A 500 just as a run ends would leave it Running without a process."""
    deployed = yaml.safe_load((Path(__file__).parents[3] / "prefect.yaml").read_text())
    for deployment in deployed["deployments"]:
        for name, value in deployment["work_pool"]["job_variables"]["env"].items():
            monkeypatch.setenv(name, value)
        assert Settings().client.retry_extra_codes == {500, 504}, deployment["name"]


def test_a_fresh_deployment_changes_nothing_by_itself() -> None:
    """Schedules are those of an environment's file: here, a second deploy would undo a person's."""
    deployed = yaml.safe_load((Path(__file__).parents[3] / "prefect.yaml").read_text())
    assert [each["name"] for each in deployed["deployments"] if each.get("schedules")] == []
