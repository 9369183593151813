"""The shipped IAM policy and what the project calls are the same, action by action and by ARN."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from flinkglue.glue.client import GlueClient
from flinkglue.glue.coordination.lock import InProcessLocks
from flinkglue.glue.definition.deploy import deploy_job
from flinkglue.glue.definition.script_store import Script, ScriptStore
from flinkglue.glue.definition.tags import JobTags
from flinkglue.glue.job_definition import JobDefinition
from infra.glue.features import Features
from infra.glue.policy import Account, caller_policy
from tests.contract.aws.aws_cloud import ACCOUNT, ROLE, SCRIPTS, AwsCloud
from tests.contract.glue.test_glue_library import DRIVER, LOG, client, cloud, ran, ranked
from tests.iam_on_the_wire import actions, allows, own_calls, refused

__all__ = ["client", "cloud"]

EVERYTHING = Features(
    read_all_connections=True,
    connection_health=True,
    deploy_job=True,
    job_tags=True,
    script_prefix=f"s3://{SCRIPTS}/etl",
    check_security_groups=True,
    reset_bookmark=True,
    log_groups=("/team/etl",),
)
DEFINITION: dict[str, Any] = {
    "Name": "job",
    "Role": ROLE,
    "Command": {"Name": "glueetl", "PythonVersion": "3"},
    "GlueVersion": "5.0",
    "WorkerType": "G.1X",
    "NumberOfWorkers": 2,
    "DefaultArguments": {"--custom-logGroup-prefix": "/team/etl"},
    "Connections": {"Connections": ["b", "a"]},  # another order than that of the run
}


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
    client.log_tail(attempt.run, "output", 1)
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


@pytest.fixture
def switched_on(cloud: AwsCloud, client: GlueClient, tmp_path: Path) -> AwsCloud:
    """The job was deployed with its script, and run with every feature that takes a permission."""
    cloud.two_connections()
    cloud.s3.create_bucket(Bucket=SCRIPTS)
    script = tmp_path / "job.py"
    script.write_text(DRIVER)
    cloud.wire.requests.clear()
    account = cloud.account
    keys = (account["access_key_id"], account["secret_access_key"])
    session = boto3.Session(*keys, region_name=account["region"])
    endpoint = {"endpoint_url": account["endpoint_url"]}
    for tags in ({"team": "orders", "stage": "test"}, {"team": "billing", "stage": None}):
        document = {**DEFINITION, "Tags": tags}
        deploy_job(
            client,
            JobDefinition.from_document(document, client.job_members),
            locks=InProcessLocks(),
            log=LOG,
            script=Script.read(str(script), EVERYTHING.script_prefix or ""),
            scripts=ScriptStore.connect(session, endpoint),
            tags=JobTags.connect(session, endpoint),
        )
    client.reset_job_bookmark("job")
    client.add_security_groups(client.get_candidates("job", ["a", "b"], list_all=True))
    client.read_health(["a"])
    attempt = ran(client, ranked(client, ["a", "b"]))
    assert attempt.run is not None
    client.log_tail(client.locate_logs(attempt.run), "output", 1)
    client.request_stop("job", attempt.run.job_run_id)
    return cloud


def test_each_option_is_for_what_its_feature_calls_and_nothing_else(switched_on: AwsCloud) -> None:
    """With all of them nothing is refused or left over; without one, its feature alone is."""
    calls = own_calls(switched_on.requests())
    policy = caller_policy(ACCOUNT, "*", "job", ["a", "b"], EVERYTHING)
    assert refused(calls, policy, ACCOUNT) == []
    assert actions(calls) == allowed_actions(policy)
    missing = {}
    for each in fields(Features):
        others = replace(EVERYTHING, **{each.name: each.default})
        lines = refused(calls, caller_policy(ACCOUNT, "*", "job", ["a", "b"], others), ACCOUNT)
        missing[each.name] = {line.partition(" on ")[0] for line in lines}
    assert missing == {
        "read_all_connections": {"glue:GetConnections"},
        "connection_health": {"ec2:DescribeAvailabilityZones"},
        "deploy_job": {"glue:CreateJob"},
        "job_tags": {"glue:GetTags", "glue:TagResource", "glue:UntagResource"},
        "script_prefix": {"s3:GetObject", "s3:PutObject"},
        "check_security_groups": {"ec2:DescribeSecurityGroups"},
        "reset_bookmark": {"glue:ResetJobBookmark"},
        "log_groups": {"logs:GetLogEvents"},
    }


def test_every_feature_of_the_policy_is_compared_with_calls() -> None:
    used = asdict(EVERYTHING)
    assert [each.name for each in fields(Features) if used[each.name] == each.default] == []


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
