"""What a person meets before a Flink flow runs: forms, blocks, and refusals by Prefect itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.blocks.core import Block
from prefect.flows import Flow
from prefect.utilities.schema_tools.validation import ValidationError, validate

from flinkglue.blocks.azure import HDInsightFlinkCluster
from flinkglue.blocks.azure_sign_in import EntraServicePrincipal, KeyVaultServicePrincipal
from flinkglue.prefect.pages.word_counts import WordCounts
from flows.flink_word_count import flink_word_count
from flows.submit_flink_job import submit_flink_job_flow
from flows.upload_flink_jar import upload_flink_jar_flow

PUBLISHED = {
    "jarName": "WordCount.jar",
    "jarDirectory": "abfs://filesystem@account.dfs.core.windows.net",
    "subscription": "00000000-1111-2222-3333-444444444444",
    "rg": "group",
    "poolNm": "pool1",
    "clusterNm": "flink1",
}
ANY_JOB = {
    "job_name": "orders",
    "jar_directory": "abfs://jars@account.dfs.core.windows.net/jobs",
    "jar_name": "Orders.jar",
    "entry_class": "com.example.Orders",
}
OWN = {
    each["name"]: each.get("parameters", {})
    for each in yaml.safe_load((Path(__file__).resolve().parents[3] / "prefect.yaml").read_text())[
        "deployments"
    ]
}
FLOWS = [flink_word_count, submit_flink_job_flow, upload_flink_jar_flow]
BLOCKS = [EntraServicePrincipal, KeyVaultServicePrincipal, HDInsightFlinkCluster]


def check(flow: Flow[Any, Any], parameters: dict[str, Any]) -> None:
    """Checks parameters as Prefect's server does when a run is made: with the deployment's own."""
    parameters = OWN.get(flow.name, {}) | parameters
    validate(parameters, flow.parameters.model_dump(), raise_on_error=True)


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_every_parameter_is_described_in_the_form(flow: Flow[Any, Any]) -> None:
    """Prefect takes the description from the docstring's Args."""
    for name, shown in flow.parameters.properties.items():
        assert len(shown.get("description", "")) > 10, name


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.__name__)
def test_every_field_of_a_block_is_described(block: type[Block]) -> None:
    """Title, description and an example."""
    for name, field in block.model_fields.items():
        assert field.title, name
        assert field.description, name
        assert field.examples, name


def test_secrets_of_blocks_are_secrets() -> None:
    """Prefect hides and encrypts them by this."""
    assert EntraServicePrincipal.model_json_schema()["secret_fields"] == ["client_secret"]
    principal = EntraServicePrincipal(tenant_id="t", client_id="c", client_secret="hush")
    assert "hush" not in f"{principal!r} {principal} {principal.model_dump_json()}"


def test_a_secret_needs_its_owner() -> None:
    """A secret without tenant and client cannot sign in."""
    with pytest.raises(ValueError, match="client_secret: needs tenant_id and client_id"):
        EntraServicePrincipal(client_secret="hush")
    assert EntraServicePrincipal().get_principal() is None


def test_the_published_json_is_accepted_as_it_is() -> None:
    """Six names, no more."""
    check(flink_word_count, PUBLISHED)


def test_a_block_can_be_chosen_named_or_referred_to() -> None:
    """The form's drop-down, a name on the command line, a reference in a schedule."""
    slug = {"$ref": {"block_document_slug": "hdinsight-flink-cluster/hdinsight-flink"}}
    uuid = {"$ref": {"block_document_id": "00000000-1111-2222-3333-444444444444"}}
    for cluster in ("hdinsight-flink", slug, uuid):
        check(submit_flink_job_flow, ANY_JOB | {"cluster": cluster})
        check(flink_word_count, PUBLISHED | {"clusterBlock": cluster})


@pytest.mark.parametrize(
    ("flow", "changed", "field"),
    [
        (flink_word_count, {"jarDirectory": "https://account.blob.core.windows.net"}, "jarDir"),
        (flink_word_count, {"jarName": ""}, "jarName"),
        (flink_word_count, {"subscription": "<cluster subscription id>"}, "subscription"),
        (submit_flink_job_flow, {"job_name": ""}, "job_name"),
        (submit_flink_job_flow, {"jar_directory": "/jars"}, "jar_directory"),
        (submit_flink_job_flow, {"entry_class": ""}, "entry_class"),
        (submit_flink_job_flow, {"parallelism": 0}, "parallelism"),
        (submit_flink_job_flow, {"parallelism": "many"}, "parallelism"),
        (submit_flink_job_flow, {"args": ["two words"]}, "args"),
        (submit_flink_job_flow, {"wait_until": "tomorrow"}, "wait_until"),
        (submit_flink_job_flow, {"deadline_minutes": 0}, "deadline_minutes"),
        (submit_flink_job_flow, {"on_cancel": "forget"}, "on_cancel"),
        (flink_word_count, {"on_cancel": "stop_with_savepoint"}, "on_cancel"),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_bad_input_is_refused_when_the_run_is_made(
    flow: Flow[Any, Any], changed: dict[str, Any], field: str
) -> None:
    """By Prefect's server, before there is a run at all."""
    good = PUBLISHED if flow is flink_word_count else ANY_JOB
    with pytest.raises(ValidationError, match=field):
        check(flow, good | changed)


@pytest.mark.parametrize(
    "accumulators", [{}, {"word-counts": ""}, {"word-counts": "the"}, {"other": "x=1"}]
)
def test_a_job_without_counts_has_none(accumulators: dict[str, str]) -> None:
    """Any jar can bear the example's name."""
    assert WordCounts.from_accumulators(accumulators) is None


def test_word_counts_are_read_from_the_jobs_accumulators() -> None:
    """Most frequent first, as the job gives them."""
    counts = WordCounts.from_accumulators(
        {"word-counts": "the=100, a=b=7", "distinct-words": "2", "total-words": "107"}
    )
    assert counts == WordCounts((("the", 100), ("a=b", 7)), 2, 107)
    assert counts.markdown().splitlines()[-2:] == ["| the | 100 |", "| a=b | 7 |"]
