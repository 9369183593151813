"""The shipped IAM policy and what the project calls are the same, action by action and by ARN."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flinkglue.glue.client import GlueClient
from infra.glue_policy import Account, caller_policy
from tests.contract.aws_cloud import ACCOUNT, ROLE, AwsCloud
from tests.contract.test_glue_library import DRIVER, client, cloud, ran, ranked
from tests.iam_on_the_wire import actions, allows, own_calls, refused

__all__ = ["client", "cloud"]


def allowed_actions(policy: dict[str, object]) -> set[str]:
    statements = policy["Statement"]
    assert isinstance(statements, list)
    return {action for statement in statements for action in statement["Action"]}


@pytest.fixture
def lived(cloud: AwsCloud, client: GlueClient) -> AwsCloud:
    """A run failed over to the other connection; its log was read and it was asked to stop."""
    cloud.two_connections()
    cloud.job(script=DRIVER, connections=("b", "a"))
    cloud.wire.requests.clear()
    cloud.fault(
        "fail-next-runs",
        job_name="job",
        times=1,
        error_message="Number of IP addresses on subnet is 0",
    )
    first = ran(client, ranked(client, ["a", "b"]))
    assert not first.succeeded
    attempt = ran(client, ranked(client, ["a", "b"], failed=["a"]), number=2)
    assert attempt.run is not None
    client.log_lines(attempt.run, "output", 1)
    client.request_stop("job", attempt.run.job_run_id)
    return cloud


def test_the_shipped_policy_allows_exactly_what_is_called(lived: AwsCloud) -> None:
    """No action is there for nothing.

    None is missing either: what every other test calls is compared with the same policy when its
    cloud is closed (`AwsCloud.check_permissions`).
    """
    policy = json.loads((Path("infra") / "iam_policy.json").read_text())
    assert actions(own_calls(lived.requests())) == allowed_actions(policy)


def test_each_call_is_allowed_on_the_resource_that_it_names(lived: AwsCloud) -> None:
    calls = own_calls(lived.requests())
    policy = caller_policy(ACCOUNT, "*", "job", ["a", "b"])
    assert refused(calls, policy, ACCOUNT) == []
    others = caller_policy(ACCOUNT, "*", "another", ["a"])
    assert "glue:StartJobRun on arn:aws:glue:us-east-1:123456789012:job/job" in (
        refused(calls, others, ACCOUNT)
    )
    elsewhere = caller_policy(Account(account_id="210987654321", region="us-east-1"), "*", "job")
    assert refused(calls, elsewhere, ACCOUNT) != []


def test_the_options_of_the_policy_allow_what_they_are_for(
    cloud: AwsCloud, client: GlueClient
) -> None:
    cloud.two_connections()
    cloud.job()
    cloud.wire.requests.clear()
    client.get_selection("job", ["a", "b"], list_all=True)
    client.read_health(["a"])
    calls = own_calls(cloud.requests())
    wider = caller_policy(
        ACCOUNT, "*", "job", ["a", "b"], read_all_connections=True, connection_health=True
    )
    assert refused(calls, wider, ACCOUNT) == []
    plain = caller_policy(ACCOUNT, "*", "job", ["a", "b"])
    assert actions(calls) >= allowed_actions(wider) - allowed_actions(plain)
    assert {line.partition(" on ")[0] for line in refused(calls, plain, ACCOUNT)} == {
        "glue:GetConnections",
        "ec2:DescribeAvailabilityZones",
    }


def test_the_jobs_role_can_be_passed_to_glue_and_to_no_other_service(lived: AwsCloud) -> None:
    """Else the caller could start a machine with the job's permissions."""
    policy = caller_policy(ACCOUNT, ROLE, "job", ["a", "b"])
    assert refused(own_calls(lived.requests()), policy, ACCOUNT) == []
    for service in ("ec2.amazonaws.com", "lambda.amazonaws.com"):
        assert not allows(policy, "iam:PassRole", ROLE, {"iam:PassedToService": service})
    assert not allows(policy, "iam:PassRole", ROLE)
    others = caller_policy(ACCOUNT, ROLE.replace("Glue", "Other"), "job", ["a", "b"])
    missing = refused(own_calls(lived.requests()), others, ACCOUNT)
    assert set(missing) == {f"iam:PassRole on {ROLE}"}
