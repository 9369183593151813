"""Deploys a Glue job from a file, or writes the file from a job.

python -m infra.glue_deploy apply job.json [--script jobs/orders.py --script-prefix s3://bucket/x]
    creates the job, or writes what differs from the definition; safe to repeat
python -m infra.glue_deploy apply job.json --dry-run
    only shows what would change; ends with 3 when something would
python -m infra.glue_deploy export JOB > job.json
    prints a job's definition, to begin with, or to restore later

A definition has Name, and settings by the names of Glue's CreateJob. Settings that are left out
stay as they are; null removes one. The changes are printed on standard error, the result as JSON on
standard output. Runs that start at the same time on the same Prefect server wait for it.

exit codes:
  0  the job is as its definition says, except for what not_taken in the result lists
  2  the input was refused; nothing was written
  3  --dry-run: something would change
  5  a service did not answer; repeat it
  6  a service refused a call
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flinkglue import polling
from flinkglue.errors import FlinkGlueError, InvalidInput
from flinkglue.form_types import FilePath, StorageAddress
from flinkglue.glue.api.job_update import connections_of
from flinkglue.glue.client import GlueClient
from flinkglue.glue.coordination.lock import InProcessLocks, Locks
from flinkglue.glue.definition.deploy import Deployed, JobDeployment, deploy_job
from flinkglue.glue.definition.report import deployment_document
from flinkglue.glue.definition.script_store import Script, ScriptStore
from flinkglue.glue.definition.tags import JobTags
from flinkglue.glue.inputs import AccountId, JobName
from flinkglue.glue.job_definition import JobDefinition
from infra.argument_types import Command, of_type
from infra.command_output import print_outcome, say, story_log
from infra.command_process import run_command
from infra.exit_codes import exit_code_of
from infra.glue.account import add_account_options, in_words, session_of

WOULD_CHANGE = 3


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(stream=sys.stderr, format="%(message)s", level=logging.WARNING)
    story_log(polling.__name__)
    try:
        return _export(arguments) if arguments.command == "export" else _apply(arguments)
    except FlinkGlueError as error:
        say(in_words(error))
        return exit_code_of(error)


def _apply(arguments: argparse.Namespace) -> int:
    document, script = _document(arguments.definition), _script(arguments)
    session, endpoint = session_of(arguments)
    client = GlueClient.connect(session, endpoint)
    definition = JobDefinition.from_document(document, client.job_members)
    owner = arguments.script_bucket_owner
    scripts = ScriptStore.connect(session, endpoint, owner) if script else None
    with _locks(alone=arguments.without_prefect) as locks:
        deployment = deploy_job(
            client,
            definition,
            locks=locks,
            log=story_log("glue_deploy"),
            script=script,
            scripts=scripts,
            tags=JobTags.connect(session, endpoint) if definition.tags else None,
            dry_run=arguments.dry_run,
            allow_lost_settings=arguments.allow_lost_settings,
        )
    _warn(deployment)
    print_outcome(deployment_document(deployment))
    return WOULD_CHANGE if deployment.deployed is Deployed.PLANNED else 0


def _warn(deployment: JobDeployment) -> None:
    for row in deployment.not_taken:
        say(f"Glue keeps {row.field} as {row.old}, not as {row.new}")


def _export(arguments: argparse.Namespace) -> int:
    session, endpoint = session_of(arguments)
    client = GlueClient.connect(session, endpoint)
    job = client.get_job(arguments.job_name)
    body = client.plan_update(job, connections_of(job)).body
    print_outcome({"Name": arguments.job_name, **body})
    return 0


@contextmanager
def _locks(*, alone: bool) -> Iterator[Locks]:
    """The job's lock on the Prefect server that the runs use, unless there is none."""
    if alone:
        yield InProcessLocks()
        return
    from flinkglue.prefect.store.server_records import server_records
    from flinkglue.prefect.store.variable_locks import VariableLocks
    from infra.prefect_server import answering, as_an_api, require_api, require_server

    require_server()
    with answering(), as_an_api():
        require_api()
        with server_records() as records:
            yield VariableLocks(records)


def _document(path: str) -> dict[str, Any]:
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InvalidInput("definition", path, "a file that can be read, or -") from error
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("definition", path, f"a JSON object: {error}") from error
    if not isinstance(document, dict):
        raise InvalidInput("definition", path, "a JSON object with Name and the job's settings")
    return document


def _script(arguments: argparse.Namespace) -> Script | None:
    if bool(arguments.script) != bool(arguments.script_prefix):
        missing = "--script-prefix" if arguments.script else "--script"
        raise InvalidInput(missing, None, "a value: --script and --script-prefix go together")
    return Script.read(arguments.script, arguments.script_prefix) if arguments.script else None


def _parser() -> argparse.ArgumentParser:
    parser = Command(
        prog="python -m infra.glue_deploy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    apply = commands.add_parser("apply", help="create the job, or update what differs")
    apply.add_argument(
        "definition", type=of_type(FilePath), help="a JSON file, or - for standard input"
    )
    apply.add_argument("--script", type=of_type(FilePath), help="the script to upload")
    apply.add_argument(
        "--script-prefix",
        type=of_type(StorageAddress),
        help="where scripts are kept: s3://bucket/folder",
    )
    apply.add_argument(
        "--script-bucket-owner",
        type=of_type(AccountId),
        help="the account that owns the bucket; default: that of the credentials",
    )
    apply.add_argument("--dry-run", action="store_true", help="only show what would change")
    apply.add_argument(
        "--allow-lost-settings",
        action="store_true",
        help="update the job even if it loses settings that cannot be read",
    )
    apply.add_argument(
        "--without-prefect",
        action="store_true",
        help="do not wait for runs of a Prefect server",
    )
    export = commands.add_parser("export", help="print a job's definition")
    export.add_argument("job_name", type=of_type(JobName))
    for command in (apply, export):
        add_account_options(command)
    return parser


if __name__ == "__main__":
    run_command(main)
