"""The doors that input comes in by, each with input that is good."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from prefect.flows import Flow
from pydantic import BaseModel

from flinkglue.azure.clusters.cluster import ApplicationJob, FlinkApplicationCluster
from flinkglue.azure.identity import credential
from flinkglue.blocks.azure import HDInsightFlinkCluster
from flinkglue.blocks.azure_sign_in import EntraServicePrincipal, KeyVaultServicePrincipal
from flinkglue.blocks.flink import FlinkRestCluster
from flinkglue.blocks.forms import flink_job, glue_job
from flinkglue.blocks.glue_job_definition import GlueJobDefinition
from flinkglue.form_schema import FormGroup
from flinkglue.glue.options import RunOptions
from flinkglue.prefect.forms.form_flow import FormFlow
from flows.check_block import check_block_flow
from flows.create_flink_cluster import create_flink_cluster_flow
from flows.delete_flink_cluster import delete_flink_cluster_flow
from flows.deploy_glue_job import deploy_glue_job_flow
from flows.flink_job_action import flink_job_action
from flows.flink_job_details import flink_job_details
from flows.flink_savepoints import flink_savepoints
from flows.flink_watch import flink_watch
from flows.flink_word_count import flink_word_count
from flows.glue_connection_health import glue_connection_health
from flows.glue_run_sweep import glue_run_sweep
from flows.glue_vpc_failover import glue_vpc_failover
from flows.submit_flink_job import submit_flink_job_flow
from flows.upload_flink_jar import upload_flink_jar_flow
from flows.wait_for_glue_run import wait_for_glue_run_flow
from infra import blocks as blocks_command
from infra import flink_action, glue_deploy, glue_sample
from infra.flink import arguments as flink_action_arguments

K = TypeVar("K")


@dataclass(frozen=True)
class Door(Generic[K]):
    """One flow, kind of block or command.

    Args:
        title: For findings.
        kind: It.
        good: What it takes, by name.
        names: The names at which odd input is tried.
        defaults: What is left out.
        before: For a command: what stands before its options.
    """

    title: str
    kind: K
    good: Mapping[str, Any]
    names: Sequence[str]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    before: Sequence[str] = ()

    def line(self, name: str, value: str) -> list[str]:
        """The command line with this value at this place."""
        given = {**self.good, name: value}
        places = [given[each] for each in self.good if not each.startswith("--")]
        if not name.startswith("--") and name not in self.good:
            places.append(value)
        options = [f"{each}={text}" for each, text in given.items() if each.startswith("--")]
        return [*self.before, *options, "--", *places] if places else [*self.before, *options]


def _flow(door: Flow[Any, Any], **good: Any) -> Door[Flow[Any, Any]]:
    moved = door.moved if isinstance(door, FormFlow) else {}
    parameters = {
        name: each
        for name, each in inspect.signature(door.fn).parameters.items()
        if name not in moved
    }
    defaults = {
        name: each.default for name, each in parameters.items() if each.default is not each.empty
    }
    # That block is Prefect's, with any fields; the flow goes on with it to calls of its own.
    names = [name for name in parameters if name != "aws_credentials"]
    assert not moved.keys() & good.keys(), f"{door.name}: by their names of now, not {good}"
    return Door(door.name, door, {**good}, names, defaults)


_CLUSTER = "flink-rest-cluster/flink"
_ABFS = "abfs://jars@account.dfs.core.windows.net/jobs"
_ANY_JAR = {"jar_directory": _ABFS, "jar_name": "a.jar", "entry_class": "com.example.Job"}
CLUSTER_SPEC = {
    "cluster_name": "flink1",
    "location": "westus3",
    "managed_identity": {
        "resource_id": "/subscriptions/s/resourceGroups/g/providers/p/identities/i",
        "client_id": "00000000-1111-2222-3333-444444444444",
        "object_id": "00000000-1111-2222-3333-444444444444",
    },
    "storage_uri": "abfs://flink@account.dfs.core.windows.net",
    "user_ids": ["00000000-1111-2222-3333-444444444444"],
    "job": _ANY_JAR,
}

FLOWS: list[Door[Flow[Any, Any]]] = [
    _flow(
        flink_job_action,
        action="NEW",
        job_name="orders",
        cluster=_CLUSTER,
        program={"jar": "a.jar"},
    ),
    _flow(flink_savepoints, job_names=["orders"], cluster=_CLUSTER),
    _flow(flink_watch, job_names=["orders"], cluster=_CLUSTER),
    _flow(flink_job_details),
    _flow(submit_flink_job_flow, job_name="orders", **_ANY_JAR),
    _flow(upload_flink_jar_flow, jar_path="a.jar", jar_directory=_ABFS),
    _flow(delete_flink_cluster_flow, cluster_name="flink1", confirm_cluster_name="flink1"),
    _flow(
        flink_word_count,
        jarName="WordCount.jar",
        jarDirectory=_ABFS,
        subscription="00000000-1111-2222-3333-444444444444",
        rg="group",
        poolNm="pool1",
        clusterNm="flink1",
    ),
    _flow(create_flink_cluster_flow, cluster_spec=CLUSTER_SPEC),
    _flow(glue_vpc_failover, job_name="job", connection_names=["a", "b"]),
    _flow(deploy_glue_job_flow, definition="orders"),
    _flow(wait_for_glue_run_flow, job_name="job", job_run_id="jr_1"),
    _flow(check_block_flow, block=_CLUSTER),
    _flow(glue_run_sweep, job_names=["job"]),
    _flow(glue_connection_health, connection_names=["a"]),
]

_PRINCIPAL = {"tenant_id": "t", "client_id": "c", "client_secret": "s"}
_URL = {"url": "https://flink.example.com"}


def _block(kind: type[BaseModel], **good: Any) -> Door[type[BaseModel]]:
    return Door(kind.__name__, kind, good, list(kind.model_fields))


GROUPS = (
    glue_job.ShortageOptions,
    glue_job.RetryOptions,
    glue_job.WaitOptions,
    glue_job.AdvancedOptions,
    flink_job.ProgramOptions,
    flink_job.StateOptions,
    flink_job.WaitOptions,
    flink_job.AdvancedOptions,
    flink_job.HealthOptions,
    flink_job.RelaunchOptions,
    flink_job.SilentRunOptions,
)
BLOCKS: list[Door[type[BaseModel]]] = [
    _block(EntraServicePrincipal, **_PRINCIPAL),
    _block(KeyVaultServicePrincipal, vault_url="https://v.vault.azure.net", reader=_PRINCIPAL),
    _block(
        HDInsightFlinkCluster,
        subscription_id="00000000-1111-2222-3333-444444444444",
        resource_group="g",
        cluster_pool_name="p",
        cluster_name="c",
        credentials=_PRINCIPAL,
        flink_rest_url="https://f",
    ),
    _block(FlinkRestCluster, **_URL),
    _block(FlinkRestCluster, **_URL, sign_in="bearer", token="t"),
    _block(FlinkRestCluster, **_URL, sign_in="basic", user_name="u", password="p"),
    _block(GlueJobDefinition, definition={"Name": "orders"}, script="orders.py"),
    # Forms inside flows.
    _block(FlinkApplicationCluster, **CLUSTER_SPEC),
    _block(ApplicationJob, **_ANY_JAR),
    _block(RunOptions),
    *(_block(group) for group in GROUPS),
    _block(RunOptions, worker_type="G.1X", number_of_workers="2"),
]


def use_block(block: BaseModel) -> None:
    """Everything that is made of it before a call."""
    match block:
        case GlueJobDefinition():
            block.model_dump_json().encode()
        case FormGroup() if isinstance(block, GROUPS):
            block.model_dump_json().encode()
        case RunOptions():
            json.dumps(block.parameters(), allow_nan=False).encode()
        case FlinkApplicationCluster() | ApplicationJob():
            block.model_dump_json().encode()
        case FlinkRestCluster():
            block.get_jars()
            with block.get_client():
                assert block.dashboard_url
        case HDInsightFlinkCluster():
            block.get_jars()
            with block.get_client():
                client = block.get_flink_client()
            if client is not None:
                client.close()
            use_block(block.credentials)
        case EntraServicePrincipal():
            with credential(
                block.get_principal(), authority=block.authority, ca_file=block.ca_file
            ):
                pass
        case KeyVaultServicePrincipal():
            use_block(block.reader)
        case _:
            raise AssertionError(block)


_ACTION_OPTIONS = [
    option.option_strings[0]
    for option in flink_action_arguments.parser("")._actions
    if option.option_strings and option.nargs != 0
]
COMMANDS: list[Door[Callable[[list[str]], int]]] = [
    Door(
        "infra.flink_action at a URL",
        flink_action.main,
        {"ACTION": "NEW", "JOB": "orders", "--url": "http://localhost:8081", "--jar": "a.jar"},
        ["ACTION", "JOB", *_ACTION_OPTIONS],
        before=["--dry-run"],
    ),
    Door(
        "infra.flink_action with a block",
        flink_action.main,
        {"ACTION": "SAVEPOINT", "JOB": "orders", "--cluster-block": "flink-rest-cluster/flink"},
        _ACTION_OPTIONS,
        before=["--dry-run"],
    ),
    Door(
        "infra.glue_sample policy",
        glue_sample.main,
        {"COMMAND": "policy"},
        [
            *("--region", "--endpoint-url", "--stack-name", "--job-name", "--role-arn"),
            *("--account-id", "--connection-names"),
        ],
    ),
    Door(
        "infra.glue_deploy apply",
        glue_deploy.main,
        {"definition": "absent.json"},
        ["definition"],
        before=["apply", "--without-prefect"],
    ),
    Door("infra.blocks local", blocks_command.main, {}, ["cloud_json"], before=["local"]),
]
