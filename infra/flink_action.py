"""One of the eleven actions on a Flink job, from a terminal or a pipeline.

python -m infra.flink_action ACTION JOB --cluster-block TYPE/NAME [...]
    acts from this process, with the block and the journal of the Prefect server
python -m infra.flink_action ACTION JOB --url URL [--journal DIRECTORY] [...]
    acts from this process, without Prefect: keep the directory of the journal between calls
python -m infra.flink_action ACTION JOB --cluster-block TYPE/NAME --deployment [--wait] [...]
    runs the deployment flink-job-action, so a worker acts; how long that may take, what happens to
    the job on a cancellation and the like are as the deployment has them saved, unless given here

Actions: NEW START STOP UPDATE STATELESS_UPDATE LAST_STATE_UPDATE SAVEPOINT LIST_SAVEPOINT CANCEL
DELETE RE_LAUNCH. What the job runs stays as it ran last, where no option changes it.

examples:
  python -m infra.flink_action NEW orders --url http://localhost:8081 --jar target/orders.jar
  python -m infra.flink_action SAVEPOINT orders --cluster-block flink-rest-cluster/flink
  python -m infra.flink_action UPDATE orders --cluster-block flink-rest-cluster/flink \\
      --jar s3://jars/orders-2.4.jar --parallelism 4 --arg=--topic --arg=orders \\
      --intent build-1842 --deployment --wait

The outcome is printed as JSON on standard output, each step on standard error. LIST_SAVEPOINT names
in not_listed each directory that could not be listed, and why.

exit codes:
  0  done; with --deployment but not --wait: the flow run was created
  1  the action failed, and the job is not as requested
  2  the input was refused; nothing was called
  3  the update failed, and the old job runs again
  4  refused: nothing was changed, because of the job's state or of another action on it
  5  not ended: a service did not answer, time ran out, or the flow run crashed
  6  a service refused a call
  7  the flow run was cancelled
  130, 143  interrupted by Ctrl-C or SIGTERM

The same command with the same --intent resumes where it was, retries what failed, and does
nothing when it was done: give the number of the build. Another action, job or cluster may have the
same --intent; other options of the same action are refused.

Commands with --url and its --journal, and flow runs or commands with a block, do not exclude each
other: use one of the two journals for a cluster. Stop all workers and commands of the version
before when you upgrade.
"""

from __future__ import annotations

import argparse
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from uuid import uuid4

from pydantic import SecretStr, ValidationError
from pydantic_core import ErrorDetails

from flinkglue import polling
from flinkglue.blocks.flink import FlinkRestCluster, FlinkSignIn
from flinkglue.blocks.flink_choice import block_type_of, cluster_of
from flinkglue.errors import FlinkGlueError, InvalidInput
from flinkglue.flink.api.lifecycle_rest import MAIN_SECONDS
from flinkglue.lifecycle.deadline import DeadlineClock
from flinkglue.lifecycle.execute import (
    execute,
    next_intent,
    raise_for_failure,
    requested_by_command,
)
from flinkglue.lifecycle.journal.file_store import FileStore
from flinkglue.lifecycle.journal.journal import Journal, JournalStore
from flinkglue.lifecycle.models import Action, Outcome
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.request.options import ActionOptions
from flinkglue.prefect.flink_cluster import FlinkCluster
from flinkglue.prefect.process_options import options_here
from flinkglue.prefect.store.variable_journal import variable_store
from infra.command_output import print_outcome, say, story_log
from infra.command_process import run_command
from infra.exit_codes import exit_code_of
from infra.flink.arguments import JOURNAL, options, parameters, parser, requested
from infra.flink.deployment import Deployed, run_deployment
from infra.flink.saved_parameters import deadline_seconds, over_saved
from infra.prefect_server import answering, as_an_api, require_server


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for, and return the exit code."""
    given = parser(__doc__ or "").parse_args(arguments)
    story_log(polling.__name__)
    intent = given.intent or f"command-{uuid4()}"
    try:
        action = requested(given)
        how = options(given)
        _check_cluster(given)
        if given.dry_run:
            print_outcome({"intent": intent, **asdict(action)})
            return 0
        if given.url is None:
            require_server()
        say(f"intent {intent}")
        if given.deployment is not None:
            sent = parameters(given)
            deployed = Deployed(given.deployment, sent, intent, deadline_seconds, over_saved)
            return run_deployment(deployed, wait=given.wait, say=say)
        try:
            outcome = _executed(given, action, how, intent)
        except KeyboardInterrupt:
            say(f"Interrupted. Run the same command with --intent {intent} to resume.")
            raise
        if action.action is Action.LIST_SAVEPOINT:  # it is no intent, so nothing was said yet
            for line in outcome.story:
                say(line)
        print_outcome(asdict(outcome))
        raise_for_failure(outcome)
    except FlinkGlueError as error:
        say(f"{type(error).__name__}: {error}")
        return exit_code_of(error)
    except ValidationError as error:
        say("; ".join(_refusal(detail) for detail in error.errors()))
        return 2
    return 0


def _executed(
    given: argparse.Namespace, action: ActionRequest, how: ActionOptions, intent: str
) -> Outcome:
    """Done from this process."""
    with answering():
        with as_an_api():  # what follows reads the files of a journal, too
            cluster = _cluster(given)
        clock = DeadlineClock(f"{action.action} of {action.job_name}", how.deadline_seconds)
        attempt = str(uuid4())
        with _store(given, cluster) as store, cluster.get_backend(clock) as backend:
            journal = Journal(store)
            return execute(
                action,
                next_intent(journal, requested_by_command(journal, intent, action), attempt),
                store=store,
                backend=backend,
                identify=cluster.get_jars().identify,
                options=options_here(how, cluster, say),
                clock=clock,
                emit=say,
                attempt=attempt,
            )


def _cluster(given: argparse.Namespace) -> FlinkCluster:
    if given.url is None:
        return cluster_of("cluster_block", given.cluster_block)
    return cluster_at_url(given)


def _check_cluster(given: argparse.Namespace) -> None:
    """Refuse what does not describe a cluster, before anything is called."""
    if given.url is None:
        block_type_of("cluster_block", given.cluster_block)
    else:
        cluster_at_url(given).get_client().close()  # reads the files that it names


def cluster_at_url(given: argparse.Namespace) -> FlinkRestCluster:
    """The cluster that --url and the options with it describe.

    Raises:
        InvalidInput: A variable with a secret is not set.
        ValidationError: The options do not go together.
    """
    sign_in = FlinkSignIn.NONE
    if given.token_env:
        sign_in = FlinkSignIn.BEARER
    elif given.user:
        sign_in = FlinkSignIn.BASIC
    return FlinkRestCluster(
        url=given.url,
        sign_in=sign_in,
        token=_secret("token_env", given.token_env),
        user_name=given.user,
        password=_secret("password_env", given.password_env),
        ca_file=given.ca_file,
        savepoint_directory=given.savepoint_directory,
        state_is_local=given.state_is_local,
        main_seconds=given.main_seconds or MAIN_SECONDS,
        check_plan=not given.no_plan,
    )


def _secret(field: str, variable: str | None) -> SecretStr | None:
    if variable is None:
        return None
    if variable not in os.environ:
        # The secret itself may have been given in place of the name.
        raise InvalidInput(
            field, SecretStr(variable), "the name of an environment variable that is set"
        )
    return SecretStr(os.environ[variable])


@contextmanager
def _store(given: argparse.Namespace, cluster: FlinkCluster) -> Iterator[JournalStore]:
    if given.url is not None:
        # Jobs of one name on two clusters are two jobs.
        name = hashlib.sha256(cluster.journal_name.encode()).hexdigest()[:20]
        yield FileStore(Path(given.journal or JOURNAL) / name)
        return
    with variable_store(cluster.journal_name) as store:
        yield store


def _refusal(detail: ErrorDetails) -> str:
    """Without the value, which may be a secret."""
    return ": ".join([*map(str, detail["loc"]), detail["msg"].removeprefix("Value error, ")])


if __name__ == "__main__":
    run_command(main)
