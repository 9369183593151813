"""Sets up the Glue sample in any account, and removes it.

python -m infra.glue_sample up      VPC, subnets, S3 endpoint, security group, role, bucket, script,
                                    connections MWAA-Glue-Blog-Subnet1 and -Subnet2, the job
                                    AirflowBlogJob, and the IAM policy for the flow's caller
python -m infra.glue_sample down    removes all of it
python -m infra.glue_sample policy  prints that IAM policy

Each can be repeated, also after a failure. What is set up costs nothing while no job
runs, but for the stored script: the subnets reach S3 through a gateway endpoint, not a NAT gateway.

exit codes:
  0  done
  1  AWS refused a call or did not answer, or down was not confirmed; what was done so far stays
  2  the input was refused; nothing was called
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import Field, fields, replace
from typing import Annotated, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import Json

from flinkglue.errors import FlinkGlueError, InvalidInput
from flinkglue.form_types import Name, StorageAddress, WebUrl, checked
from flinkglue.glue.console import Console
from flinkglue.glue.inputs import JobName, parse_connection_names
from infra.argument_types import Command, Region, matching, of_type
from infra.command_output import say
from infra.command_process import run_command
from infra.glue.account import session_of
from infra.glue.features import Features
from infra.glue.job import JobStack, NotOurs
from infra.glue.network import NetworkStack
from infra.glue.policy import CONNECTION_NAMES, JOB_NAME, Account, caller_policy

STACK_NAME = "flinkglue-sample"


StackName = Annotated[
    str,
    checked(
        matching(
            r"[A-Za-z0-9][A-Za-z0-9.-]{0,34}",
            "letters, digits, . and -, at most 35 characters: its bucket is named after it",
        )
    ),
]
AccountId = Annotated[str, checked(matching(r"\d{12}|ACCOUNT_ID", "12 digits"))]
_ROLE = r"arn:[a-z-]+:iam::(\d{12}|ACCOUNT_ID):role/\S+"
RoleArn = Annotated[str, checked(matching(_ROLE, "arn:aws:iam::ACCOUNT_ID:role/NAME"))]


class Sample:
    """The whole sample in one account and region."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._session, self._endpoint = session_of(arguments)
        self._changed = 0
        ec2 = self.client("ec2")
        region = ec2.meta.region_name
        identity = self.client("sts").get_caller_identity()
        partition = self._session.get_partition_for_region(region)
        self.account = Account(partition, region, identity["Account"])
        self.network = NetworkStack(ec2, arguments.stack_name, self._say)
        self.job = JobStack(
            self.client,
            self.account,
            arguments.stack_name,
            arguments.job_name,
            arguments.connection_names,
            self._say,
        )
        self._arguments = arguments

    def client(self, service: str) -> Any:
        return self._session.client(service, **self._endpoint)

    def _say(self, line: str) -> None:
        self._changed += 1
        print(line)

    def up(self) -> None:
        """Make everything and say where it is."""
        self.job.check_ownership()
        network = self.network.up()
        self.job.up(network)
        console = Console(self.account.partition, self.account.region)
        print()
        for name, subnet in zip(
            self._arguments.connection_names, network.private_subnets, strict=True
        ):
            print(f"{name}: {subnet.subnet_id} {subnet.cidr_block} {subnet.availability_zone}")
        # Partitions whose console has no known address get no link.
        print(f"Job {self._arguments.job_name} {console.job(self._arguments.job_name) or ''}")
        print(f"VPC {network.vpc_id} {console.vpc(network.vpc_id) or ''}")
        print(f"Policy for the flow's caller: {self.job.policy_arn}")

    def down(self) -> None:
        """Remove everything; the job first, because its network interfaces hold the subnets."""
        self.job.down()
        self.network.down()
        if not self._changed:
            print(f"There is nothing of stack {self._arguments.stack_name}.")


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.command == "policy":
        return _print_policy(arguments)
    if len(arguments.connection_names) != 2:
        parser.error("--connection-names: the sample has two; only policy takes more or fewer")
    try:
        sample = Sample(arguments)
        print(f"Account {sample.account.account_id}, region {sample.account.region}")
        if arguments.command == "up":
            sample.up()
        elif arguments.yes or _confirmed(arguments.stack_name):
            sample.down()
        else:
            print("Nothing was removed.", file=sys.stderr)
            return 1
    except InvalidInput as error:
        say(f"{type(error).__name__}: {error}")
        return 2
    except NotOurs as error:
        say(f"Stopped: {error}")
        return 1
    except (FlinkGlueError, ClientError, BotoCoreError) as error:
        say(f"Stopped: {error}")
        print("The command can be repeated.", file=sys.stderr)
        return 1
    return 0


def _print_policy(arguments: argparse.Namespace) -> int:
    region = arguments.region
    try:
        partition = boto3.Session().get_partition_for_region(region) if region else "aws"
    except BotoCoreError as error:
        print(f"error: argument --region: {error}", file=sys.stderr)
        return 2
    account = Account(partition, region or "REGION", arguments.account_id)
    parameters = arguments.parameters
    try:
        names = parse_connection_names(parameters.get("connection_names"))
        features = _features(arguments)
    except InvalidInput as error:
        print(f"error: argument --parameters: {error}", file=sys.stderr)
        return 2
    policy = caller_policy(
        account,
        arguments.role_arn or account.role_arn(f"{arguments.stack_name}-job"),
        parameters.get("job_name") or arguments.job_name,
        names or arguments.connection_names,
        features,
    )
    print(json.dumps(policy, indent=2))
    return 0


def _features(arguments: argparse.Namespace) -> Features:
    """What the options switch on, and the parameters of a run."""
    run = Features.of_parameters(arguments.parameters)
    options = {each.name: getattr(arguments, each.name) for each in fields(Features)}
    return replace(run, **{name: value for name, value in options.items() if value})


def _add_option(parser: argparse.ArgumentParser, feature: Field[Any]) -> None:
    """The option of a feature; its type follows from the value that it has when it is left out."""
    kinds: dict[Any, dict[str, Any]] = {
        False: {"action": "store_true"},
        None: {"type": of_type(StorageAddress)},
        (): {"nargs": "+", "metavar": "NAME"},
    }
    parser.add_argument(
        f"--{feature.name.replace('_', '-')}",
        help=f"for policy: {feature.metadata['for']}",
        **kinds[feature.default],
    )


def _confirmed(stack_name: str) -> bool:
    try:
        return input(f"Remove everything of stack {stack_name}? Type its name: ") == stack_name
    except EOFError:
        print("No terminal to confirm in: use --yes.", file=sys.stderr)
        return False


def _parser() -> argparse.ArgumentParser:
    parser = Command(
        prog="python -m infra.glue_sample",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=["up", "down", "policy"])
    parser.add_argument("--region", type=of_type(Region), help="default: the profile's")
    parser.add_argument(
        "--profile", type=of_type(Name), help="a profile of the AWS configuration files"
    )
    parser.add_argument(
        "--endpoint-url", type=of_type(WebUrl), help="another endpoint, such as a local cloud"
    )
    parser.add_argument(
        "--stack-name",
        type=of_type(StackName),
        default=STACK_NAME,
        help="the name that marks everything it creates",
    )
    parser.add_argument("--job-name", type=of_type(JobName), default=JOB_NAME)
    parser.add_argument(
        "--connection-names",
        type=of_type(JobName),
        nargs="+",
        default=list(CONNECTION_NAMES),
        metavar="NAME",
    )
    _add_policy_options(parser)
    parser.add_argument("--yes", action="store_true", help="for down: do not ask for confirmation")
    return parser


def _add_policy_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--account-id",
        type=of_type(AccountId),
        default="ACCOUNT_ID",
        help="for policy: the account to write into it",
    )
    parser.add_argument(
        "--role-arn",
        type=of_type(RoleArn),
        help="for policy: the job's role; default: the sample's",
    )
    parser.add_argument(
        "--parameters",
        type=of_type(Json[dict[str, Any]]),
        default={},
        metavar="JSON",
        help="for policy: parameters of glue-job or glue-job-deploy, as `prefect deployment run "
        "--params` takes them: what they switch on, for the job and connections that they name",
    )
    for feature in fields(Features):
        _add_option(parser, feature)


if __name__ == "__main__":
    run_command(main)
