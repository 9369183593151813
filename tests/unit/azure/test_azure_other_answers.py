"""Something else than ARM answers at its address: that says nothing about clusters and jobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import SecretStr

from flinkglue.azure.arm.clusters import ArmClusterClient
from flinkglue.azure.arm.run_job import RunJob
from flinkglue.azure.models import FlinkClusterId
from flinkglue.errors import (
    AuthenticationFailed,
    CallFailed,
    Conflict,
    InDoubt,
    NotFound,
    PermissionDenied,
    ServiceUnavailable,
    Throttled,
)
from flinkglue.http.auth import BearerToken
from tests.azure_on_the_wire import Clock, error
from tests.gateways import GATEWAYS, REDIRECTS, STATUSES, redirect
from tests.unit.azure.jobs.fake_arm import _NO_CERTIFICATES
from tests.unit.flink.test_flink_other_answers import BODIES

CLUSTER = FlinkClusterId("sub", "group", "pool1", "flink1")
OPERATION = "https://management.azure.com/subscriptions/s/operationStatuses/1?api-version=x"
NEW = RunJob.new("count-1", "abfs://jars@account.dfs.core.windows.net", "Count.jar", "Count")

Call = Callable[[ArmClusterClient], Any]
CALLS: dict[str, Call] = {
    "get_cluster": lambda c: c.get_cluster(CLUSTER),
    "find_resource": lambda c: c.find_resource(CLUSTER),
    "get_pool": lambda c: c.get_pool(CLUSTER),
    "list_jobs": lambda c: c.list_jobs(CLUSTER),
    "job_rows": lambda c: c.job_rows(CLUSTER),
    "put": lambda c: c.put(CLUSTER, {}),
    "delete": lambda c: c.delete(CLUSTER),
    "operation": lambda c: c.operation(OPERATION),
    "instance_view": lambda c: c.instance_view(CLUSTER),
    "flink_versions": lambda c: c.flink_versions(CLUSTER, "WestUS3"),
    "run_job": lambda c: c.run_job(CLUSTER, NEW),
}
NO_WORD_OF_ARM = (
    ServiceUnavailable,
    InDoubt,
    Throttled,
    AuthenticationFailed,
    PermissionDenied,
)


def raised(call: Call, answer: Callable[[], httpx.Response]) -> CallFailed:
    token = SecretStr("token")
    client = ArmClusterClient(
        BearerToken(token),
        transport=httpx.MockTransport(lambda request: answer()),
        verify=_NO_CERTIFICATES,
        reads_for_seconds=0,
        clock=Clock(),
    )
    with client:
        try:
            told = call(client)
        except CallFailed as failed:
            return failed
    raise AssertionError(f"{answer().status_code} {answer().text[:80]!r} was read as {told!r}")


@pytest.mark.parametrize("name", CALLS)
def test_an_error_of_a_gateway_says_nothing_about_what_there_is(name: str) -> None:
    """A 404 of a proxy does not mean that a cluster is absent, nor a 409 that it changes."""
    for product, answer in GATEWAYS.items():
        for status in STATUSES:
            failed = raised(CALLS[name], lambda answer=answer, status=status: answer(status))
            wanted: type[CallFailed] = InDoubt if name == "run_job" else ServiceUnavailable
            wanted = Throttled if status == 429 else wanted
            assert isinstance(failed, wanted), f"{product} {status}: {failed!r}"


@pytest.mark.parametrize("name", CALLS)
def test_a_sign_in_page_is_no_success(name: str) -> None:
    """Read as one, a job would count as submitted, and a cluster as being deleted."""
    for status in (200, 202):
        failed = raised(CALLS[name], lambda status=status: GATEWAYS["sign-in page"](status))
        assert isinstance(failed, InDoubt if name == "run_job" else ServiceUnavailable)


@pytest.mark.parametrize("status", REDIRECTS)
def test_a_redirect_is_told_with_its_target(status: int) -> None:
    failed = raised(CALLS["list_jobs"], lambda: redirect(status))
    assert "redirects to https://login.example.com/oauth2/start" in str(failed)
    assert "secret-state" not in str(failed)
    assert "pw" not in str(failed)


@given(
    name=st.sampled_from(sorted(CALLS)),
    status=st.sampled_from([*STATUSES, *REDIRECTS, 401, 403]),
    body=BODIES,
)
def test_what_is_not_arms_never_says_not_found_or_conflict(
    name: str, status: int, body: bytes
) -> None:
    assume(b"code" not in body)
    failed = raised(CALLS[name], lambda: httpx.Response(status, content=body))
    assert isinstance(failed, NO_WORD_OF_ARM)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [(404, "ParentResourceNotFound", NotFound), (409, "OperationInProgress", Conflict)],
)
def test_arms_own_json_says_what_there_is(status: int, code: str, kind: type[CallFailed]) -> None:
    failed = raised(CALLS["get_pool"], lambda: error(status, code, "Because."))
    assert type(failed) is kind
    assert failed.code == code
