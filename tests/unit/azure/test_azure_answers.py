"""ARM's lists and objects: every page, only the rows of the name, and nothing that is no answer."""

from __future__ import annotations

import httpx
import pytest
from pydantic import SecretStr

from flinkglue.azure.arm.client import ArmClient
from flinkglue.azure.arm.clusters import ArmClusterClient
from flinkglue.azure.models import FlinkClusterId
from flinkglue.errors import InvalidInput, ServiceUnavailable
from flinkglue.http.auth import BearerToken
from tests.azure_on_the_wire import AzureOnTheWire, Clock

CLUSTER = FlinkClusterId("sub", "group", "pool1", "flink1")


@pytest.fixture
def azure() -> AzureOnTheWire:
    return AzureOnTheWire()


@pytest.fixture
def arm(azure: AzureOnTheWire) -> ArmClient:
    token = SecretStr("token-1")
    tokens = BearerToken(token)
    return ArmClient(tokens, transport=httpx.MockTransport(azure), clock=Clock())


def test_every_page_of_the_jobs_is_read(arm: ArmClient, azure: AzureOnTheWire) -> None:
    """nextLink is followed as given, and the filter is unquoted."""
    more = "https://management.azure.com/page2/jobs?api-version=x&$skipToken=a%2Bb"
    first = httpx.Response(200, json={"value": [azure.row("one", runId="a")], "nextLink": more})
    azure.fail("GET", "/jobs", first)
    azure.rows = [azure.row("one", runId="b")]
    assert [job.run_id for job in arm.list_jobs(CLUSTER, "one")] == ["a", "b"]
    assert azure.requests[0].url.params["$filter"] == "jobName eq one"
    assert str(azure.requests[1].url) == more


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{}", b'{"value": null}', b'{"value": [], "nextLink": 1}', b"<html>"],
)
def test_an_answer_that_is_no_list_is_never_an_empty_list(
    arm: ArmClient, azure: AzureOnTheWire, body: bytes
) -> None:
    """A proxy's page says nothing about jobs: "none" would start a second one."""
    azure.fail("GET", "/jobs", httpx.Response(200, content=body), times=500)
    with pytest.raises(ServiceUnavailable, match=r"Cluster Jobs List.*the answer is no"):
        arm.list_jobs(CLUSTER)


def test_a_page_that_is_no_list_does_not_cut_the_list_short(
    arm: ArmClient, azure: AzureOnTheWire
) -> None:
    """What was read before it is not the whole list."""
    more = "https://management.azure.com/page2/jobs?api-version=x"
    first = httpx.Response(200, json={"value": [azure.row("one")], "nextLink": more})
    azure.fail("GET", "/jobs", first)
    azure.fail("GET", "/jobs", httpx.Response(200, html="<html>"), times=500)
    with pytest.raises(ServiceUnavailable):
        arm.list_jobs(CLUSTER)


@pytest.mark.parametrize("read", ["get_cluster", "find_resource", "get_pool"])
@pytest.mark.parametrize("body", [b"<html>", b"[]", b""])
def test_an_answer_that_is_no_object_is_no_cluster(
    azure: AzureOnTheWire, read: str, body: bytes
) -> None:
    """Whether ARM's DELETE deletes a job or its whole cluster is read from such an answer."""
    token = SecretStr("token-1")
    clusters = ArmClusterClient(
        BearerToken(token),
        transport=httpx.MockTransport(azure),
        clock=Clock(),
    )
    azure.fail("GET", "", httpx.Response(200, content=body), times=500)
    with pytest.raises(ServiceUnavailable, match=r"not (a )?JSON"):
        getattr(clusters, read)(CLUSTER)


@pytest.mark.parametrize(
    "name", ["", "Orders", "a b", "orders or jobName eq payments", "orders'", "x" * 64]
)
def test_a_name_that_no_job_can_have_is_refused_before_any_call(
    arm: ArmClient, azure: AzureOnTheWire, name: str
) -> None:
    """In the filter it would mean something else."""
    with pytest.raises(InvalidInput, match=r"job_name.*a-z 0-9"):
        arm.list_jobs(CLUSTER, name)
    assert azure.requests == []


def test_rows_of_other_names_are_left_out_whatever_the_filter_let_through(
    arm: ArmClient, azure: AzureOnTheWire
) -> None:
    """Names are lower case; another spelling is another job."""
    others = [azure.row(name) for name in ("payments", "Orders", "orders-2")]
    azure.fail(
        "GET", "/jobs", httpx.Response(200, json={"value": [*others, azure.row("orders"), {}]})
    )
    assert [job.job_name for job in arm.list_jobs(CLUSTER, "orders")] == ["orders"]
