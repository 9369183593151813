"""What the command line of infra.glue_run takes."""

from __future__ import annotations

import argparse
from typing import Annotated, Any

from pydantic import Field

from flinkglue.blocks.forms.glue_job import CUSTOM
from flinkglue.errors import InvalidInput
from flinkglue.form_types import Name
from flinkglue.glue.inputs import JobName, check_arguments, parse_connection_names
from flinkglue.glue.placement.strategies import STRATEGIES
from flinkglue.glue.placement.strategy_by_name import allowed_modules, load_strategy
from flinkglue.quantities import Count, Minutes
from infra.argument_types import Command, DeploymentName, check_once, of_type
from infra.glue.account import add_account_options

Retries = Annotated[int, Field(ge=0, le=50)]
ExtraNodes = Annotated[int, Field(ge=0, le=10)]
Seed = Annotated[int, Field(ge=-(2**63), lt=2**63)]


def parser(description: str) -> argparse.ArgumentParser:
    """The command line."""
    command = Command(
        prog="python -m infra.glue_run",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = command.add_subparsers(dest="command", required=True, metavar="COMMAND")
    rank = commands.add_parser("rank", help="the order that a run would get now; changes nothing")
    run = commands.add_parser("run", help="one run through the deployment glue-job")
    stop = commands.add_parser("stop", help="stop runs and wait until they have ended")
    health = commands.add_parser("health", help="free addresses and faults of connections")
    for each in (rank, run, stop):
        each.add_argument("job_name", metavar="JOB", type=of_type(JobName), help="the Glue job")
    _choosing(rank, "random")
    _choosing(run, None)
    for each in (rank, stop, health):
        add_account_options(each)
    for each in (rank, health):
        each.add_argument(
            "--without-prefect",
            action="store_true",
            help="ignore what flow runs have reserved, and which connections failed",
        )
    _running(run)
    stop.add_argument("run_id", metavar="RUN_ID", nargs="+", type=of_type(Name))
    stop.add_argument(
        "--within-minutes", type=of_type(Minutes), default=10, help="default: %(default)s"
    )
    health.add_argument("--connection", action="append", metavar="NAME", help="repeat")
    health.add_argument(
        "--job", action="append", type=of_type(JobName), help="its connections; repeat"
    )
    health.add_argument(
        "--minimum-free-addresses",
        type=of_type(Count),
        default=10,
        help="a connection with fewer usable addresses is short of them (default: %(default)s)",
    )
    return command


def _choosing(command: argparse.ArgumentParser, strategy: str | None) -> None:
    others = "%(default)s" if strategy else "the deployment's"
    command.add_argument(
        "--connection",
        action="append",
        metavar="NAME",
        help="a connection to choose from; repeat (default: those of the job)",
    )
    command.add_argument(
        "--strategy",
        type=of_type(Name),
        default=strategy,
        help=f"{', '.join(STRATEGIES)}, or your own module:function (default: {others})",
    )
    command.add_argument("--seed", type=of_type(Seed), help="repeats a random order")
    command.add_argument("--extra-nodes", type=of_type(ExtraNodes))
    command.add_argument(
        "--needed-addresses", type=of_type(Count), help="instead of workers plus extra nodes"
    )
    command.add_argument("--allow-several-vpcs", action="store_true")
    command.add_argument("--check-security-groups", action="store_true")


def _running(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--arg",
        action="append",
        metavar="NAME=VALUE",
        help="an argument of the job, such as --arg=--date=2026-11-29; repeat (default: the "
        "deployment's, which are left out if any is given)",
    )
    saved = "default: the deployment's"
    command.add_argument("--retries", type=of_type(Retries), help=saved)
    command.add_argument("--deadline-minutes", type=of_type(Minutes), help=saved)
    command.add_argument("--aws-credentials", type=of_type(Name), metavar="BLOCK", help=saved)
    command.add_argument(
        "--intent", type=of_type(Name), help="the same intent is run once (default: a new one)"
    )
    command.add_argument(
        "--deployment",
        type=of_type(DeploymentName),
        default="glue-job/glue-job",
        metavar="FLOW/NAME",
        help="default: %(default)s",
    )
    command.add_argument("--wait", action="store_true", help="until it has ended")
    command.add_argument("--dry-run", action="store_true", help="check the input and call nothing")


def run_parameters(given: argparse.Namespace) -> dict[str, Any]:
    """The parameters of the flow run that were given, and nothing else.

    Raises:
        InvalidInput: A value is not accepted; names the option.
    """
    if given.strategy is not None:
        load_strategy(given.strategy, allowed_modules())
    pairs = [_pair(each) for each in given.arg or ()]
    check_once("arg", [name for name, _ in pairs])
    arguments = dict(pairs)
    check_arguments(arguments)
    is_built_in = given.strategy is None or given.strategy in STRATEGIES
    chosen: dict[str, Any] = {
        "job_name": given.job_name,
        "connection_names": parse_connection_names(given.connection, given.strategy or ""),
        "strategy": given.strategy if is_built_in else CUSTOM,
        "arguments": arguments or None,
        "aws_credentials": given.aws_credentials,
        "shortage_options": _given(
            extra_nodes=given.extra_nodes, needed_addresses=given.needed_addresses
        ),
        "retry_options": _given(retries=given.retries),
        "wait_options": _given(deadline_minutes=given.deadline_minutes),
        "advanced_options": _given(
            strategy_function=None if is_built_in else given.strategy,
            seed=given.seed,
            allow_several_vpcs=given.allow_several_vpcs or None,
            check_security_groups=given.check_security_groups or None,
        ),
    }
    return {name: value for name, value in chosen.items() if value is not None}


def _given(**values: Any) -> dict[str, Any] | None:
    return {name: value for name, value in values.items() if value is not None} or None


def _pair(given: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not (equals and name.startswith("--")):
        raise InvalidInput("arg", given, "NAME=VALUE with a name such as --date")
    return name, value
