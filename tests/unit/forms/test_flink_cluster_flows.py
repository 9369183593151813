"""The flows about clusters: what they refuse before any call, and what their pages tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.doors.input_doors import CLUSTER_SPEC
from flinkglue.azure.clusters.cluster import FlinkApplicationCluster
from flinkglue.errors import InvalidInput
from flinkglue.tasks.flink_job_details import details_markdown
from flows.create_flink_cluster import create_flink_cluster_flow
from flows.delete_flink_cluster import delete_flink_cluster_flow

PAGE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "flink-clusters.md"


def row(**properties: Any) -> dict[str, Any]:
    return {"id": "row", "properties": {"jobName": "orders", **properties}}


def test_a_cluster_is_not_deleted_when_its_name_is_mistyped() -> None:
    with pytest.raises(InvalidInput, match=r"confirm_cluster_name.*'orders'"):
        delete_flink_cluster_flow.fn("orders", "oders")


def test_a_cluster_is_taken_by_the_name_that_the_parameter_had_before() -> None:
    """As a deployment that was not deployed again, and a flow of one's own, give it."""
    earlier = {"wanted": CLUSTER_SPEC, "cluster": "hdinsight-flink-cluster/flink"}
    validated = create_flink_cluster_flow.validate_parameters(earlier)
    assert validated["cluster_spec"].cluster_name == "flink1"
    assert "wanted" not in validated


def test_the_form_shows_every_property_with_its_description() -> None:
    """Nested forms too: a person fills in nothing that is not explained."""
    schema = create_flink_cluster_flow.parameters
    forms = schema.definitions
    cluster_spec = forms["FlinkApplicationCluster"]["properties"]
    assert {
        "hive_catalog",
        "job_logs",
        "log_analytics",
        "prometheus",
        "tags",
    } <= cluster_spec.keys()
    ours = ("ApplicationJob", "ComputeSize", "HiveCatalog", "JobLogs", "LogAnalytics", "Nodes")
    for form in ("FlinkApplicationCluster", "ManagedIdentity", *ours):
        for name, field in forms[form]["properties"].items():
            form_of_its_own = forms.get(str(field.get("$ref", "")).rpartition("/")[2], {})
            explained = field.get("description") or form_of_its_own.get("description")
            assert explained, f"{form}.{name}"


def test_the_page_about_clusters_tells_of_every_parameter() -> None:
    """The flow's own, and what describes the cluster."""
    page = PAGE.read_text(encoding="utf-8")
    names = {
        *create_flink_cluster_flow.parameters.properties,
        *FlinkApplicationCluster.model_fields,
    }
    assert [name for name in sorted(names) if f"`{name}`" not in page] == []


@pytest.mark.parametrize("status", ["STOP-FAILED", "RUNNING", "SOMETHING_NEW"])
def test_the_details_of_a_failed_action_tell_exception_and_reason(status: str) -> None:
    output = "org.apache.flink.X: no\n  at Y\nCaused by: java.io.IOException: disk | full"
    page = details_markdown([row(status=status, actionResult="FAILED", jobOutput=output)])
    assert "| Exception | `java.io.IOException` |" in page
    assert "| Reason | disk \\| full |" in page
    assert '"actionResult": "FAILED"' in page


def test_a_ghost_row_and_a_failure_without_an_exception_are_shown() -> None:
    """Text that is no exception is the reason."""
    assert "| Status | none |" in details_markdown([row()])
    page = details_markdown([row(status="JOB_LAUNCH_FAILED", jobOutput="The job is running.")])
    assert "| Exception | `not reported` |" in page
    assert "| Reason | The job is running. |" in page
