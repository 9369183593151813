"""Sets up everything that this project has on a Prefect server, from one reviewed file.

python -m infra.setup up [FILE] [--dry-run]     block types, blocks, work pools, concurrency limits,
                                                deployments and automations
python -m infra.setup down [FILE] [--dry-run]   deletes what `up` created from this file
python -m infra.setup check [FILE]              checks the file; calls nothing

FILE is an environment, for example deployments/production.yaml; deployments/example.yaml shows
the usual keys, docs/how-to/deployments.md all. Without one, all of prefect.yaml is deployed as it
is, in the work pool flinkglue.

examples:
  export PREFECT_API_URL=http://127.0.0.1:4200/api
  python -m infra.setup up --dry-run                          what would be done
  python -m infra.setup up deployments/production.yaml        do it
  python -m infra.setup up deployments/production.yaml        again: nothing is changed
  python -m infra.setup down deployments/production.yaml      undo it

Only what FILE names is set. Everything else stays as it was set in the UI, such as further
parameters and schedules. Where someone or another file changed what FILE names, the change is
shown (field, value now, value in FILE) and stays: copy it into FILE, or give --overwrite. What
several files name is deleted with the last of them.

Secrets of blocks are not in FILE: a field says {env: NAME}, and the variable NAME is read here.

exit codes:
  0  done, or there was nothing to do
  2  the input was refused; nothing was called
  4  done, except for fields that someone or another file changed; they are listed
  5  the Prefect server did not answer; run the same command again to resume
  6  the Prefect server refused a call
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from flinkglue import polling
from flinkglue.errors import FlinkGlueError
from flinkglue.form_types import FilePath
from flinkglue.prefect.store.server_records import ServerRecords
from infra.argument_types import Command, of_type
from infra.command_output import print_outcome, say, story_log
from infra.command_process import run_command
from infra.exit_codes import exit_code_of
from infra.prefect_server import answering, as_an_api, require_api, require_server
from infra.setup.environment import Environment, WorkPool, read_environment
from infra.setup.execution import execute
from infra.setup.kinds.automations import Automations
from infra.setup.kinds.block_types import BlockTypes
from infra.setup.kinds.blocks import Blocks
from infra.setup.kinds.deployments import Deployments
from infra.setup.kinds.kind import Kind
from infra.setup.kinds.limits import Limits
from infra.setup.kinds.work_pools import WorkPools
from infra.setup.plan import plan_of, removal_of
from infra.setup.project import ROOT, specs
from infra.setup.record import WITHOUT_FILE, AppliedRecords
from infra.setup.report import as_json, print_step, print_summary
from infra.setup.server import Server

WORK_POOL = "flinkglue"
CHANGES_STAY = 4


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for, and return the exit code."""
    given = parser().parse_args(arguments)
    # It logs the whole address of a notification block that it cannot read, with its secret.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    story_log(polling.__name__)
    server = Server()
    try:
        file = Path(given.file) if given.file else None
        environment = read_environment(file)
        name = name_of(environment, file)
        # Only its name: what is undone is on record, and needs neither variables nor this version.
        kinds = kinds_of(Environment() if given.command == "down" else environment, server)
        if given.command == "check":
            print(f"{sum(len(kind.desired()) for kind in kinds)} objects, all valid")
            return 0
        require_server()
        with answering(), as_an_api():
            require_api()
            with server.connected() as client:
                return _set_up(given, name, kinds, ServerRecords(client))
    except FlinkGlueError as error:
        say(f"{type(error).__name__}: {error}")
        return exit_code_of(error)
    except KeyboardInterrupt:
        say("Interrupted. Run the same command again to resume.")
        raise


def kinds_of(environment: Environment, server: Server) -> list[Kind]:
    """Everything that an environment names, in the order in which it is set up.

    Raises:
        InvalidInput: Something in it is not valid. No call was made.
    """
    pools = {WORK_POOL: WorkPool(type="process")} | environment.work_pools
    work_pools = WorkPools(server, pools)
    deployments = specs(environment.deployments, environment.code_directory)
    return [
        BlockTypes(server),
        Blocks(server, environment.blocks),
        work_pools,
        Limits(server, environment.concurrency_limits),
        Deployments(server, deployments, work_pools.desired()),
        Automations(server, environment.automations, environment.blocks),
    ]


def name_of(environment: Environment, file: Path | None) -> str:
    """By which what is set up from a file is known as its own, on all machines.

    It is the `name` in the file, or the file's path: in the checkout, if it is in it.
    """
    if file is None:
        return WITHOUT_FILE
    path = file.resolve()
    where = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    return environment.name or where.as_posix()


def _set_up(
    given: argparse.Namespace, name: str, kinds: Sequence[Kind], stored: ServerRecords
) -> int:
    records = AppliedRecords(stored)
    if given.command == "down":
        steps = removal_of(kinds, records, name)
    else:
        steps = plan_of(kinds, records, name, overwrite=given.overwrite, prune=given.prune)
    # What was done before a failure is said, too.
    report = partial(print_step, to=sys.stderr) if given.json else print_step
    if given.dry_run:
        for step in steps:
            report(step)
    else:
        steps = execute(steps, records, name, report)
    if given.json:
        print_outcome(as_json(steps, dry_run=given.dry_run))
    else:
        print_summary(steps, dry_run=given.dry_run)
    return CHANGES_STAY if any(step.kept for step in steps) else 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    command = Command(
        prog="python -m infra.setup",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = command.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="set everything up, or update it to match the file")
    up.add_argument(
        "--overwrite",
        action="store_true",
        help="overwrite what someone or another file changed",
    )
    up.add_argument(
        "--prune",
        action="store_true",
        help="delete what was created from this file and is no longer in it",
    )
    down = commands.add_parser("down", help="delete what was created from the file")
    check = commands.add_parser("check", help="check the file and call nothing")
    for each in (up, down, check):
        each.add_argument(
            "file", type=of_type(FilePath), nargs="?", metavar="FILE", help="the environment"
        )
    for each in (up, down):
        each.add_argument("--dry-run", action="store_true", help="show what would be done")
        each.add_argument(
            "--json",
            action="store_true",
            help="print it as JSON on standard output, and each step on standard error",
        )
    return command


if __name__ == "__main__":
    run_command(main)
