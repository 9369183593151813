"""What the command line of infra.flink_action takes, and what it asks for."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flinkglue.blocks.forms.flink_job import ACTION_GROUPS, WaitOptions, options_of, request_of
from flinkglue.errors import InvalidInput
from flinkglue.flink.api.lifecycle_rest import MAIN_SECONDS
from flinkglue.flink.inputs import (
    JarAddress,
    JavaClass,
    JobId,
    PythonModule,
    SavepointAddress,
)
from flinkglue.form_types import FilePath, Name, StorageAddress, WebUrl
from flinkglue.lifecycle.models import RESTORE_MODES, Action
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.request.options import ActionOptions
from flinkglue.lifecycle.savepoint_formats import SavepointFormat
from flinkglue.quantities import Minutes, Parallelism, Seconds
from infra.argument_types import Command, DeploymentName, check_once, of_type, one_of

JOURNAL = Path(".flink-journal")
_WITH_URL = (
    "token_env",
    "user",
    "password_env",
    "ca_file",
    "savepoint_directory",
    "state_is_local",
    "journal",
    "main_seconds",
    "no_plan",
)
"""A saved block has its own, and with it the journal is on the Prefect server."""


Add = Callable[..., object]
"""``add_argument`` of a group."""


class _Command(Command):
    passes_dashes = frozenset({"--arg"})  # main() may want them


def parser(description: str) -> argparse.ArgumentParser:
    """The command line."""
    command = _Command(
        prog="python -m infra.flink_action",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("action", type=one_of(Action), metavar="ACTION", help=", ".join(Action))
    command.add_argument("job_name", metavar="JOB", type=of_type(Name), help="the job's name")
    _add_cluster(command)
    _add_job(command.add_argument_group("what to run (default: as it ran last)").add_argument)
    how = command.add_argument_group("how to run it").add_argument
    _add_action_options(how)
    _add_intent_and_deployment(how)
    return command


def _add_cluster(command: argparse.ArgumentParser) -> None:
    where = command.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--cluster-block", metavar="TYPE/NAME", type=of_type(Name), help="a saved block"
    )
    where.add_argument("--url", type=of_type(WebUrl), help="a JobManager's address")
    sign_in = command.add_argument_group("only with --url; a saved block has its own")
    sign_in.add_argument("--token-env", metavar="NAME", help="the variable with a bearer token")
    sign_in.add_argument("--user", type=of_type(Name), help="for basic sign-in")
    sign_in.add_argument("--password-env", metavar="NAME", help="the variable with its password")
    sign_in.add_argument(
        "--ca-file", type=of_type(FilePath), help="a PEM file of certificates to trust"
    )
    sign_in.add_argument(
        "--savepoint-directory", type=of_type(StorageAddress), help="where savepoints are written"
    )
    sign_in.add_argument(
        "--main-seconds",
        type=of_type(Seconds),
        help=f"how long main() may take to reach execute() (default: {MAIN_SECONDS:g})",
    )
    sign_in.add_argument("--no-plan", action="store_true", help="make no plan before a launch")
    sign_in.add_argument("--state-is-local", action="store_true", help="the state is on this disk")
    sign_in.add_argument(
        "--journal",
        type=of_type(FilePath),
        help=f"the directory of the journal (default: {JOURNAL})",
    )


def _add_job(add: Add) -> None:
    add(
        "--jar",
        type=of_type(JarAddress),
        help="a .jar, .py, .zip or .sql: a path, https://, s3:// or abfs://",
    )
    add("--entry-class", type=of_type(JavaClass))
    add(
        "--python-module", type=of_type(PythonModule), help="what to run of a Python program's .zip"
    )
    add(
        "--python-file",
        action="append",
        type=of_type(JarAddress),
        metavar="ADDRESS",
        help="a further .py or .zip of a Python program; repeat",
    )
    add("--arg", action="append", metavar="WORD", help="repeat; --arg=--flag")
    add("--no-args", action="store_true", help="main() gets no arguments")
    add("--parallelism", type=of_type(Parallelism))
    add("--conf", action="append", metavar="KEY=VALUE", help="repeat")
    add(
        "--savepoint",
        type=of_type(SavepointAddress),  # empty: a variable without its value, not the newest
        help="a savepoint or checkpoint to start from",
    )
    add("--allow-non-restored-state", action="store_true")
    add("--restore-mode", choices=RESTORE_MODES, default="NO_CLAIM")
    add("--without-state", action="store_true", help="NEW starts empty even if the job has state")


def _add_action_options(add: Add) -> None:
    add(
        "--job-id",
        type=of_type(JobId),
        default="",
        help="the Flink job, where the name is ambiguous",
    )
    add("--drain", action="store_true", help="STOP permanently")
    add(
        "--savepoint-format",
        type=one_of(SavepointFormat),
        metavar="FORMAT",
        help=f"{', '.join(SavepointFormat)} (default: by the job's state backend)",
    )
    add("--no-roll-back", action="store_true", help="no rollback: a failed update leaves no job")
    add("--no-slot-check", action="store_true", help="update even if task slots are missing")
    add("--take-over", action="store_true", help="discard the unfinished action of a dead run")
    waits = WaitOptions()
    add(
        "--stable-seconds",
        type=of_type(Seconds),
        help=f"how long a job must run without a restart (default: {waits.stable_seconds})",
    )
    add(
        "--ready-within-seconds",
        type=of_type(Seconds),
        help=f"how long to wait for that (default: {waits.ready_within_seconds})",
    )
    add(
        "--deadline-minutes",
        type=of_type(Minutes),
        help=f"how long the action may take (default: {waits.deadline_minutes})",
    )


def _add_intent_and_deployment(add: Add) -> None:
    add(
        "--intent",
        type=of_type(Name),
        help="names the request; the same one is executed once (default: a new one)",
    )
    add(
        "--deployment",
        nargs="?",
        type=of_type(DeploymentName),
        const="flink-job-action/flink-job-action",
        metavar="FLOW/NAME",
        help="run a deployment instead; without a name: %(const)s",
    )
    add("--wait", action="store_true", help="with --deployment: wait until it has ended")
    add("--dry-run", action="store_true", help="check the input and call nothing")


def requested(given: argparse.Namespace) -> ActionRequest:
    """The action that is asked for.

    Raises:
        InvalidInput: The options do not fit together; names the field.
    """
    if given.url is not None and given.deployment is not None:
        raise InvalidInput("deployment", given.deployment, "with --cluster-block, not with --url")
    _check_where(given)
    if given.wait and given.deployment is None:
        raise InvalidInput("wait", given.wait, "with --deployment; otherwise it is waited for")
    return request_of(_in_groups(given))


def options(given: argparse.Namespace) -> ActionOptions:
    """How to go about it."""
    return options_of(_in_groups(given))


def _in_groups(given: argparse.Namespace) -> dict[str, Any]:
    values = parameters(given)
    return values | {name: kind(**values[name]) for name, kind in ACTION_GROUPS.items()}


def _check_where(given: argparse.Namespace) -> None:
    """Refuse what would be left out silently: a savepoint would go to another directory."""
    for name in _WITH_URL if given.url is None else ():
        if getattr(given, name):
            value = getattr(given, name)
            raise InvalidInput(name, value, "only with --url: a saved block has its own")
    if given.token_env and given.user:
        raise InvalidInput("user", given.user, "either --user or --token-env")
    if (given.user is None) != (given.password_env is None):
        raise InvalidInput("password_env", given.password_env, "--user and --password-env together")


def _args(given: argparse.Namespace) -> tuple[str, ...] | None:
    if given.no_args and given.arg:
        raise InvalidInput("no_args", True, "either --no-args or --arg")
    if given.no_args:
        return ()
    return tuple(given.arg) if given.arg else None


def _configuration(given: argparse.Namespace) -> dict[str, str] | None:
    if not given.conf:
        return None
    settings = [setting.partition("=") for setting in given.conf]
    for key, equals, _ in settings:
        if not (key and equals):
            raise InvalidInput("conf", key, "KEY=VALUE")
    check_once("conf", [key for key, _, _ in settings])
    return {key: value for key, _, value in settings}


def parameters(given: argparse.Namespace) -> dict[str, Any]:
    """The same as parameters of the flow flink-job-action.

    What says how (`saved_parameters.LASTING`) is left out where it was not given.
    """
    program = {
        "jar": given.jar,
        "entry_class": given.entry_class,
        "args": None if (args := _args(given)) is None else list(args),
        "parallelism": given.parallelism,
        "flink_configuration": _configuration(given),
        "python_module": given.python_module,
        "python_files": given.python_file,
    }
    return {
        "action": given.action.value,
        "job_name": given.job_name,
        "cluster": given.cluster_block,
        "program": {name: value for name, value in program.items() if value is not None},
        "state_options": {
            "savepoint": given.savepoint or "",
            "allow_non_restored_state": given.allow_non_restored_state,
            "restore_mode": given.restore_mode,
            "without_state": given.without_state,
            **_given(savepoint_format=given.savepoint_format and given.savepoint_format.value),
        },
        "wait_options": _given(
            stable_seconds=given.stable_seconds,
            ready_within_seconds=given.ready_within_seconds,
            deadline_minutes=given.deadline_minutes,
        ),
        "advanced_options": {
            "job_id": given.job_id,
            "drain": given.drain,
            "take_over": given.take_over,
            **_given(
                roll_back=False if given.no_roll_back else None,
                check_slots=False if given.no_slot_check else None,
            ),
        },
    }


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
