"""What the project called on AWS, compared with what its IAM policies allow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from infra.glue.features import DEFAULT_GROUP, Features
from infra.glue.policy import Account, caller_policy
from localcloud.web.request_log import Request

GONE = 499  # the record of a request that was not sent to its end
AGENT = "flinkglue/"  # how src/flinkglue/glue/client.py signs its calls; tests have other clients


def own_calls(requests: Iterable[Request]) -> list[Request]:
    """The calls of the project itself, but for those whose process was killed amid the sending."""
    ours = [call for call in requests if call.detail.get("user_agent", "").startswith(AGENT)]
    return [call for call in ours if call.status != GONE]


def actions(calls: Iterable[Request]) -> set[str]:
    """What is called, and what the services check beside it, in IAM's words."""
    return {each.action for call in calls for each in _checks(call)}


def refused(calls: Iterable[Request], policy: dict[str, Any], account: Account) -> list[str]:
    """The calls that the policy does not allow on the resources that they name."""
    return [
        f"{check.action} on {arn}"
        for call in calls
        for check in _checks(call)
        for arn in ([_role_arn(check.role, account)] if check.role else _resources(call, account))
        if not allows(policy, check.action, arn, check.context)
    ]


def policy_for(calls: list[Request], account: Account, role_arn: str = "*") -> dict[str, Any]:
    """The policy of an operator who runs the jobs named in the calls on the connections named.

    It is one for the features that were used.
    """
    jobs = {call.detail["job_name"] for call in calls if "job_name" in call.detail}
    names = {call.detail["connection_name"] for call in calls if "connection_name" in call.detail}
    called = actions(calls)
    folders = (
        call.detail["object"].rpartition("/")[0] for call in calls if call.operation == "PutObject"
    )
    groups = {call.detail.get("log_group", DEFAULT_GROUP) for call in calls}
    others = {each.rpartition("/")[0] for each in groups if not each.startswith(DEFAULT_GROUP)}
    features = Features(
        read_all_connections="glue:GetConnections" in called,
        connection_health="ec2:DescribeAvailabilityZones" in called,
        reset_bookmark="glue:ResetJobBookmark" in called,
        deploy_job="glue:CreateJob" in called,
        job_tags=bool({"glue:GetTags", "glue:TagResource"} & called),
        script_prefix=next((f"s3://{folder}" for folder in folders), None),
        log_groups=tuple(sorted(others)),
        check_security_groups="ec2:DescribeSecurityGroups" in called,
    )
    statements = [
        statement
        for job_name in sorted(jobs) or [""]
        for statement in caller_policy(account, role_arn, job_name, sorted(names), features)[
            "Statement"
        ]
    ]
    return {"Version": "2012-10-17", "Statement": statements}


_OTHER_ACTIONS = {"s3:HeadObject": "s3:GetObject"}
"""Operations that IAM knows by another name."""


def _action(call: Request) -> str:
    action = f"{call.service}:{call.operation}"
    return _OTHER_ACTIONS.get(action, action)


@dataclass(frozen=True)
class Check:
    """What a service asks IAM about a call."""

    action: str
    role: str = ""
    context: Mapping[str, str] = field(default_factory=dict)


def _checks(call: Request) -> Iterator[Check]:
    """The call itself, that it may tag, and that the job's role may be passed to Glue.

    Glue's developer guide, "Actions, resources, and condition keys": CreateJob and UpdateJob take
    iam:PassRole. IAM's guide: iam:PassedToService is the service that the role is passed to. Glue's
    guide, "AWS tags in AWS Glue": to create with tags takes glue:TagResource. STS's reference:
    "No permissions are required to perform" GetCallerIdentity.
    """
    if _action(call) == "sts:GetCallerIdentity":
        return
    yield Check(_action(call))
    if call.service == "glue" and call.detail.get("tag_keys"):
        yield Check("glue:TagResource")
    if call.service == "glue" and (role := call.detail.get("role")):
        yield Check("iam:PassRole", role, {"iam:PassedToService": "glue.amazonaws.com"})


def _role_arn(role: str, account: Account) -> str:
    """Glue takes a role by its name, too."""
    return role if role.startswith("arn:") else account.role_arn(role)


def _resources(call: Request, account: Account) -> Iterator[str]:
    detail = call.detail
    if call.service == "glue" and "Connection" in call.operation:
        yield account.arn("glue", "catalog")
        yield account.arn("glue", f"connection/{detail.get('connection_name', 'any')}")
    elif call.service == "glue":
        yield account.arn("glue", f"job/{detail['job_name']}")
    elif call.service == "logs":
        yield account.arn(
            "logs", f"log-group:{detail['log_group']}:log-stream:{detail['log_stream']}"
        )
    elif call.service == "s3":
        yield f"arn:{account.partition}:s3:::{detail['object']}"
    else:
        yield "*"  # EC2's Describe operations know no resources


def allows(
    policy: dict[str, Any], action: str, arn: str, context: Mapping[str, str] | None = None
) -> bool:
    """Whether a statement allows the action on the resource in this context of the request."""
    return any(
        action in statement["Action"]
        and any(fnmatchcase(arn, allowed) for allowed in statement["Resource"])
        and _is_met(statement.get("Condition", {}), context or {})
        for statement in policy["Statement"]
    )


def _is_met(condition: dict[str, dict[str, str]], context: Mapping[str, str]) -> bool:
    """A key that the request does not have is equal to nothing."""
    assert set(condition) <= {"StringEquals"}, f"no operator that is evaluated here: {condition}"
    return all(
        context.get(key) == value for key, value in condition.get("StringEquals", {}).items()
    )
