"""What to do after a job run failed: an ordered table, read top to bottom. Pure.

Glue uses the same error code and service for a full subnet and for a wrong setting, so the message
decides. What no row matches is STOP: paying again for an unknown failure needs a person.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from flinkglue.errors import CallFailed, Conflict, InDoubt, ServiceUnavailable, Throttled
from flinkglue.glue.models import JobRunState


class FailureClass(StrEnum):
    """What a failure asks for."""

    FAIL_OVER = "fail over"
    """Try again at once on another connection."""
    WAIT = "wait"
    """Try again later; the connection is not to blame."""
    STOP = "stop"
    """Paying again would not help; tell a person."""


@dataclass(frozen=True)
class Rule:
    """One row: a message that contains `text`, ignoring case, is of this class.

    `blames_zone` tells that all subnets of the zone are out of service, not this one alone. `alert`
    tells that a setting is wrong and stays wrong until a person mends it, also when another
    connection carries the run meanwhile.
    """

    text: str
    failure_class: FailureClass
    advice: str
    sample: str
    blames_zone: bool = False
    alert: bool = False


@dataclass(frozen=True)
class Failure:
    """A classified failure; `evidence` is the text it was judged by."""

    failure_class: FailureClass
    evidence: str
    advice: str
    blames_zone: bool = False
    alert: bool = False


A, B, C = FailureClass.FAIL_OVER, FailureClass.WAIT, FailureClass.STOP

RULES: tuple[Rule, ...] = (
    Rule(
        "Number of IP addresses on subnet is 0",
        A,
        "the subnet is full; another one is tried",
        "JobName:nightly and JobRunId:jr_0a1b failed to execute with exception Number of IP "
        "addresses on subnet is 0: subnet-0a1b2c3d (Service: AWSGlueJobExecutor; Status Code: 400; "
        "Error Code: InvalidInputException; Request ID: 00000000-0000-0000-0000-000000000000; "
        "Proxy: null)",
    ),
    Rule(
        "does not have enough free addresses to satisfy the request",
        A,
        "the subnet ran out of addresses; another one is tried",
        "The specified subnet does not have enough free addresses to satisfy the request. "
        "(Service: AmazonEC2; Status Code: 400; Error Code: InsufficientFreeAddressesInSubnet)",
    ),
    Rule(
        "InsufficientFreeAddressesInSubnet",
        A,
        "the subnet ran out of addresses; another one is tried",
        "Error Code: InsufficientFreeAddressesInSubnet",
    ),
    Rule(
        "Could not find subnet for AZ",
        A,
        "the zone is out of service for Glue; another one is tried",
        "Could not find subnet for AZ us-east-1a",
        blames_zone=True,
    ),
    Rule(
        "VPC S3 endpoint validation failed for SubnetId",
        A,
        "give the subnet's route table an S3 gateway endpoint or a NAT gateway",
        "VPC S3 endpoint validation failed for SubnetId: subnet-0a1b2c3d. VPC: vpc-0a1b2c3d. "
        "Reason: Could not find S3 endpoint or NAT gateway for subnetId: subnet-0a1b2c3d in Vpc "
        "vpc-0a1b2c3d",
        alert=True,
    ),
    Rule(
        "At least one security group must open all ingress",
        A,
        "add a rule to the connection's security group that allows all TCP from itself",
        "At least one security group must open all ingress ports. To limit traffic, the source "
        "security group in your inbound rule can be restricted to the same security group",
        alert=True,
    ),
    Rule(
        "At least one security group must open all egress",
        A,
        "allow all outgoing traffic in the connection's security group",
        "At least one security group must open all egress ports.",
        alert=True,
    ),
    Rule(
        "Resource unavailable",
        A,
        "Glue has no capacity in this zone; another one is tried",
        "Resource unavailable",
        blames_zone=True,
    ),
    Rule(
        "threshold for executors failed after launch reached",
        B,
        "executors could not be started; the same order is tried later",
        "threshold for executors failed after launch reached. Note: This run was executed with "
        "Auto Scaling enabled.",
    ),
    Rule(
        "Exceeded maximum concurrent compute capacity",
        B,
        "the account's DPU quota is in use; wait, or ask for a higher quota",
        "Exceeded maximum concurrent compute capacity for your account. Please contact AWS "
        "Support.",
    ),
    Rule(
        "Max concurrent runs exceeded",
        B,
        "another run of the job lives, or Glue is still cleaning up after one (5 to 10 s)",
        "Concurrent runs exceeded for nightly: Max concurrent runs exceeded",
    ),
    Rule(
        "Concurrent runs exceeded",
        B,
        "another run of the job lives, or Glue is still cleaning up after one (5 to 10 s)",
        "Concurrent runs exceeded for nightly",
    ),
    Rule(
        "Rate exceeded",
        B,
        "the account makes too many calls; they are repeated later",
        "Rate exceeded (Service: AWSGlue; Status Code: 400; Error Code: ThrottlingException)",
    ),
    Rule(
        "ThrottlingException",
        B,
        "the account makes too many calls; they are repeated later",
        "An error occurred (ThrottlingException)",
    ),
    Rule(
        "InternalService",
        B,
        "Glue itself failed; it is tried again later",
        "Error Code: InternalServiceException",
    ),
    Rule(
        "OperationTimeout",
        B,
        "Glue itself timed out; it is tried again later",
        "Error Code: OperationTimeoutException",
    ),
    Rule(
        "ServiceUnavailable",
        B,
        "a service is unavailable; it is tried again later",
        "Error Code: ServiceUnavailableException",
    ),
    Rule(
        "RequestExpired",
        B,
        "a request was late; it is tried again later",
        "Request has expired. (Service: AmazonEC2; Status Code: 400; Error Code: RequestExpired)",
    ),
    Rule(
        "Unable to resolve any valid connection",
        C,
        "no connection of the job passes Glue's checks: test each one in the Glue console",
        "Unable to resolve any valid connection (Service: AWSGlueJobExecutor; Status Code: 400; "
        "Error Code: InvalidInputException)",
        alert=True,
    ),
    Rule(
        "Could not find connection for the given criteria",
        C,
        "the job names a connection that does not exist: correct its list of connections",
        "Could not find connection for the given criteria Key(accountId=000000000000, "
        "connectionName=missing)",
    ),
    Rule(
        "No private DNS for network interface found",
        C,
        "switch on DNS host names in the VPC",
        "No private DNS for network interface found",
    ),
    Rule(
        "Failed to call ec2:DescribeSubnets",
        C,
        "allow ec2:DescribeSubnets to the job's role",
        "Failed to call ec2:DescribeSubnets",
    ),
    Rule(
        "Installation of Additional Python Modules failed",
        C,
        "correct --additional-python-modules, or give the subnet a way to the package index",
        "LAUNCH ERROR | Installation of Additional Python Modules failed",
    ),
    Rule(
        "Command failed with exit code",
        C,
        "the script failed: read its error log",
        "Command failed with exit code 1",
    ),
)

STATES: dict[str, str] = {
    JobRunState.STOPPED: "somebody stopped the run",
    JobRunState.TIMEOUT: "the run took longer than the job's time-out",
    JobRunState.EXPIRED: "the run was replaced at its maintenance window",
}
"""Ends that are judged by the state alone: all are STOP."""


def classify(state: str, message: str | None) -> Failure:
    """Judge a run that ended without success.

    Args:
        state: Glue's state of the run.
        message: The run's ErrorMessage, if it has one.
    """
    evidence = message or f"the run ended {state} and Glue gave no message"
    if state in STATES:
        return Failure(C, evidence, STATES[state])
    return _by_text(evidence)


def classify_call(error: CallFailed) -> Failure:
    """Judge a call that failed before there was a run."""
    if isinstance(error, Throttled | ServiceUnavailable | Conflict | InDoubt):
        return Failure(B, str(error), error.advice or "it is tried again later")
    judged = _by_text(error.reason)
    return replace(judged, evidence=str(error), advice=error.advice or judged.advice)


def subnet_in(message: str | None) -> str | None:
    """The id of the subnet that a message blames, if it names one."""
    found = re.search(r"\bsubnet-[0-9a-zA-Z]+", message or "")
    return found.group() if found else None


def _by_text(text: str) -> Failure:
    lowered = text.lower()
    for rule in RULES:
        if rule.text.lower() in lowered:
            return Failure(rule.failure_class, text, rule.advice, rule.blames_zone, rule.alert)
    return Failure(C, text, "the failure is not a known one: read the run's error log")
