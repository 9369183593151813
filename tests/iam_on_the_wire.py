"""What the project called on AWS, compared with what its IAM policies allow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any

from infra.glue_policy import Account, caller_policy
from localcloud.request_log import Request

GONE = 499  # the record of a request that was not sent to its end
AGENT = "flinkglue/"  # how src/flinkglue/glue/client.py signs its calls; tests have other clients


def own_calls(requests: Iterable[Request]) -> list[Request]:
    """The calls of the project itself, but for those whose process was killed amid the sending."""
    ours = [call for call in requests if call.detail.get("user_agent", "").startswith(AGENT)]
    return [call for call in ours if call.status != GONE]


def actions(calls: Iterable[Request]) -> set[str]:
    """What is called, in IAM's words."""
    return {_action(call) for call in calls}


def refused(calls: Iterable[Request], policy: dict[str, Any], account: Account) -> list[str]:
    """The calls that the policy does not allow on the resources that they name."""
    return [
        f"{_action(call)} on {arn}"
        for call in calls
        for arn in _resources(call, account)
        if not _allows(policy, _action(call), arn)
    ]


def policy_for(calls: list[Request], account: Account, role_arn: str = "*") -> dict[str, Any]:
    """The policy of an operator who runs the jobs named in the calls on the connections named.

    It has the options that were used: to read all connections, and the zones.
    """
    jobs = {call.detail["job_name"] for call in calls if "job_name" in call.detail}
    names = {call.detail["connection_name"] for call in calls if "connection_name" in call.detail}
    options = {
        "read_all_connections": "glue:GetConnections" in actions(calls),
        "connection_health": "ec2:DescribeAvailabilityZones" in actions(calls),
        "deploy_job": "glue:CreateJob" in actions(calls),
        "script_prefix": next(
            (
                f"s3://{call.detail['object'].rpartition('/')[0]}"
                for call in calls
                if call.operation == "PutObject"
            ),
            None,
        ),
    }
    statements = [
        statement
        for job_name in sorted(jobs) or [""]
        for statement in caller_policy(account, role_arn, job_name, sorted(names), **options)[
            "Statement"
        ]
    ]
    return {"Version": "2012-10-17", "Statement": statements}


_OTHER_ACTIONS = {"s3:HeadObject": "s3:GetObject"}
"""Operations that IAM knows by another name."""


def _action(call: Request) -> str:
    action = f"{call.service}:{call.operation}"
    return _OTHER_ACTIONS.get(action, action)


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


def _allows(policy: dict[str, Any], action: str, arn: str) -> bool:
    return any(
        action in statement["Action"]
        and any(fnmatchcase(arn, allowed) for allowed in statement["Resource"])
        for statement in policy["Statement"]
    )
