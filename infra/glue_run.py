"""Runs of a Glue job from a command line: rank its connections, run, stop, and check connections.

python -m infra.glue_run rank JOB [--connection NAME ...] [--strategy NAME]
    the order of connections that a run would get now: a dry run, which changes nothing
python -m infra.glue_run run JOB [--connection NAME ...] [--arg NAME=VALUE ...] [--wait]
    a run through the deployment glue-job, or another one of --deployment, with its retries on other
    connections; what is not given here is as the deployment has it saved
python -m infra.glue_run stop JOB RUN_ID ...
    stops runs of any origin, and waits until they have ended
python -m infra.glue_run health [--connection NAME ...] [--job JOB ...]
    how many addresses the connections have left, and what is wrong with them

examples:
  python -m infra.glue_run rank orders --connection orders-a --connection orders-b
  python -m infra.glue_run run orders --connection orders-a --connection orders-b \\
      --arg=--date=2026-11-29 --intent nightly-2026-11-29 --wait
  python -m infra.glue_run health --job orders --minimum-free-addresses 20

The outcome is printed as JSON on standard output, each step on standard error.

rank, stop and health call AWS from here, by the usual configuration of boto3 (--profile, --region).
What flow runs have reserved and which connections failed is read from the Prefect server;
--without-prefect leaves that out. run needs the server: the same command with the same --intent
finds the same flow run, continues it, or retries what failed; give the number of the build.

exit codes:
  0  done; rank: a subnet has room for the whole run; health: all connections are usable
  1  the run failed; rank: no subnet has; health: one is not usable
  2  the input was refused; nothing was called
  4  refused: the job has as many runs as it may
  5  not ended: a service did not answer, time ran out, or the flow run crashed
  6  a service refused a call
  7  the flow run was cancelled
  130, 143  interrupted by Ctrl-C or SIGTERM; a flow run keeps running
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from random import SystemRandom
from uuid import uuid4

from flinkglue import polling
from flinkglue.clock import SystemClock
from flinkglue.errors import FlinkGlueError, InvalidInput
from flinkglue.glue.client import GlueClient
from flinkglue.glue.coordination.run_context import (
    Coordination,
    RunContext,
    coordination_in_process,
)
from flinkglue.glue.coordination.slots import NoSlot
from flinkglue.glue.inputs import parse_connection_names
from flinkglue.glue.models import Group, Ranking
from flinkglue.glue.monitoring.health import judge_connections
from flinkglue.glue.placement.decision import ranking_rows
from flinkglue.glue.placement.placement_request import PlacementRequest
from flinkglue.glue.placement.selection import preview
from flinkglue.glue.placement.strategy_by_name import allowed_modules, load_strategy
from flinkglue.glue.run.stop import stop_job_runs
from flinkglue.glue.run_request import RunRequest
from flinkglue.lifecycle.sensitive import shown
from infra.command_output import print_outcome, say, story_log
from infra.command_process import run_command
from infra.exit_codes import exit_code_of
from infra.flink.deployment import Deployed, run_deployment
from infra.glue.account import in_words, session_of
from infra.glue.run_arguments import parser, run_parameters
from infra.glue.saved_parameters import deadline_seconds, over_saved
from infra.prefect_server import answering, as_an_api, require_api, require_server

FAILED, NO_SLOT = 1, 4
LOG = story_log("glue_run")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for, and return the exit code."""
    given = parser(__doc__ or "").parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, format="%(message)s", level=logging.WARNING)
    story_log(polling.__name__)
    try:
        return _COMMANDS[given.command](given)
    except NoSlot as no_slot:
        say(str(no_slot))
        return NO_SLOT
    except FlinkGlueError as error:
        say(in_words(error))
        return exit_code_of(error)


def rank(given: argparse.Namespace) -> int:
    """Print the order that a run would get."""
    strategy = load_strategy(given.strategy, allowed_modules())
    run = RunRequest(given.job_name, str(uuid4()), SystemClock().now())
    requested = PlacementRequest(
        run=run,
        connection_names=parse_connection_names(given.connection, given.strategy),
        strategy_name=given.strategy,
        strategy=strategy,
        seed=SystemRandom().getrandbits(31) if given.seed is None else given.seed,
        extra_nodes=given.extra_nodes,
        needed_addresses=given.needed_addresses,
        allow_several_vpcs=given.allow_several_vpcs,
        check_security_groups=given.check_security_groups,
    )
    with _coordination(given) as coordination:
        ranking = preview(RunContext(_client(given), LOG, coordination), requested)
    fits = has_room(ranking)
    print_outcome(
        {
            "job_name": given.job_name,
            "strategy": ranking.strategy,
            "seed": ranking.seed,
            "needed_addresses": ranking.needed_addresses,
            "needed_because": ranking.needed_because,
            "has_room": fits,
            "connections": ranking_rows(ranking),
        }
    )
    return 0 if fits else FAILED


def has_room(ranking: Ranking) -> bool:
    """Whether some subnet has all the addresses; a job without connections takes none."""
    return not ranking.connections or any(each.group is Group.GOOD for each in ranking.connections)


def run(given: argparse.Namespace) -> int:
    """Have one flow run of glue-job for the intent; wait for its end where that is asked for."""
    parameters = run_parameters(given)
    intent = given.intent or f"command-{uuid4()}"
    if given.dry_run:
        printed = {"intent": intent, "deployment": given.deployment}
        print_outcome({**printed, "parameters": shown(parameters)})
        return 0
    require_server()
    say(f"intent {intent}")
    deployed = Deployed(given.deployment, parameters, intent, deadline_seconds, over_saved)
    return run_deployment(deployed, wait=given.wait, say=say)


def stop(given: argparse.Namespace) -> int:
    """Stop runs by their ids."""
    context = RunContext(_client(given), LOG)
    runs = stop_job_runs(context, given.job_name, given.run_id, given.within_minutes * 60)
    print_outcome({"runs": [{"job_run_id": each.job_run_id, "state": each.state} for each in runs]})
    return 0 if all(each.ended for each in runs) else 5


def health(given: argparse.Namespace) -> int:
    """Judge connections as the deployment glue-connection-health does."""
    if not given.connection and not given.job:
        raise InvalidInput("connection", None, "names, or --job instead")
    names = parse_connection_names(given.connection) or []
    with _coordination(given) as coordination:
        reservations = coordination.claims.reservations()
        cool_downs = coordination.cool_downs.recent()
    reading = _client(given).read_health(names, given.job or [])
    if not reading.connections:
        raise InvalidInput("job", given.job, "jobs that have connections")
    if reading.zones_problem:
        LOG.warning("The zones' states are not shown: %s", reading.zones_problem)
    now = SystemClock().now()
    found = judge_connections(
        reading.connections,
        given.minimum_free_addresses,
        zones=reading.zones,
        reservations=reservations,
        cool_downs=cool_downs,
        now=now,
        failed_since=now - timedelta(hours=24),
    )
    shown_connections = [asdict(each) for each in found]
    print_outcome({"connections": shown_connections, "zones_problem": reading.zones_problem})
    return FAILED if any(each.is_below_threshold for each in found) else 0


_COMMANDS = {"rank": rank, "run": run, "stop": stop, "health": health}


@contextmanager
def _coordination(given: argparse.Namespace) -> Iterator[Coordination]:
    if given.without_prefect:
        yield coordination_in_process()
        return
    from flinkglue.prefect.store.glue_coordination import coordination_on_server

    require_server()
    with answering(), as_an_api():
        require_api()
        with coordination_on_server() as coordination:
            yield coordination


def _client(given: argparse.Namespace) -> GlueClient:
    session, endpoint = session_of(given)
    return GlueClient.connect(session, endpoint)


if __name__ == "__main__":
    run_command(main)
