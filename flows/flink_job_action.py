"""Deployment flink-job-action: any of the eleven actions, on any Flink cluster."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from prefect import flow, runtime

from flinkglue.blocks.flink_choice import FlinkClusterChoice, cluster_of
from flinkglue.flink.inputs import (
    JarAddress,
    JavaClass,
    JobId,
    OptionalSavepoint,
    PythonModule,
)
from flinkglue.form_types import Name
from flinkglue.lifecycle.execute import raise_for_failure
from flinkglue.lifecycle.interrupted import OnCancel
from flinkglue.lifecycle.models import Action, Outcome, RestoreMode
from flinkglue.lifecycle.readiness import ReadyLimits
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.request.changes import JobChanges
from flinkglue.lifecycle.request.options import ActionOptions
from flinkglue.lifecycle.savepoint_formats import SavepointFormat
from flinkglue.prefect.hooks.flink_action import end_as_requested, report_what_is_left, requested_by
from flinkglue.quantities import Minutes, Parallelism, Seconds
from flinkglue.tasks.flink_actions import perform_flink_action


def request_of(parameters: dict[str, Any]) -> ActionRequest:
    """What a run's parameters ask for.

    Raises:
        InvalidInput: They do not fit together; names the field.
    """
    args = parameters["args"]
    changes = JobChanges(
        jar=parameters["jar"],
        entry_class=parameters["entry_class"],
        args=None if args is None else tuple(args),
        parallelism=parameters["parallelism"],
        flink_configuration=parameters["flink_configuration"],
        python_module=parameters["python_module"],
        python_files=None if (files := parameters["python_files"]) is None else tuple(files),
        allow_non_restored_state=parameters["allow_non_restored_state"],
        restore_mode=parameters["restore_mode"],
    )
    return ActionRequest(
        Action(parameters["action"]),
        parameters["job_name"],
        changes,
        savepoint_path=parameters["savepoint"] or None,
        job_id=parameters["job_id"],
        drain=parameters["drain"],
        take_over=parameters["take_over"],
        without_state=parameters["without_state"],
    )


@flow(
    name="flink-job-action",
    flow_run_name="{action} {job_name}",
    on_cancellation=[end_as_requested(request_of, cluster_of)],
    on_crashed=[report_what_is_left(request_of, cluster_of)],
)
def flink_job_action(
    action: Action,
    job_name: Name,
    cluster: FlinkClusterChoice = "flink-rest-cluster/flink",
    jar: JarAddress | None = None,
    entry_class: JavaClass | None = None,
    args: list[str] | None = None,
    parallelism: Parallelism | None = None,
    flink_configuration: dict[str, str] | None = None,
    python_module: PythonModule | None = None,
    python_files: list[JarAddress] | None = None,
    savepoint: OptionalSavepoint = "",
    allow_non_restored_state: bool = False,
    restore_mode: RestoreMode = "NO_CLAIM",
    without_state: bool = False,
    job_id: JobId = "",
    drain: bool = False,
    savepoint_format: SavepointFormat = SavepointFormat.AUTOMATIC,
    roll_back: bool = True,
    check_slots: bool = True,
    stable_seconds: Seconds = 10,
    ready_within_seconds: Seconds = 300,
    on_cancel: OnCancel = OnCancel.LEAVE,
    deadline_minutes: Minutes = 60,
    take_over: bool = False,
) -> dict[str, Any]:
    """Execute one of the eleven actions on a Flink job, exactly once, to its end.

    A run that crashed goes on where it was when it is retried; nothing is started twice. A run
    whose action failed tries again.

    Args:
        action: NEW starts a job for the first time. START goes on from the newest savepoint. STOP
            ends it with a savepoint. UPDATE stops it with a savepoint and starts the new jar from
            it, or returns to the old one. STATELESS_UPDATE starts without state. LAST_STATE_UPDATE
            starts from the newest checkpoint. SAVEPOINT, LIST_SAVEPOINT. CANCEL ends it without a
            savepoint. DELETE forgets it. RE_LAUNCH brings a failed one back.
        job_name: The name that people and Flink know the job by.
        cluster: A Flink REST Cluster or HDInsight Flink Cluster block, chosen or by type and name,
            for example flink-rest-cluster/flink.
        jar: The address of the jar, the Python program (.py or .zip) or the SQL script (.sql): a
            path on the worker, https://, s3:// or abfs://. Left out, what was launched last; an
            update reads it again.
        entry_class: The full name of the class with main(). Left out, as it ran last, or what the
            jar's manifest says.
        args: Arguments of main(), one per item. None: as it ran last.
        parallelism: How many tasks run side by side. None: as it ran last, or 1.
        flink_configuration: Flink settings; the job's own code takes precedence. None: as it ran
            last.
        python_module: For a Python program in a .zip: the module to run, for example orders.main.
            None: as it ran last.
        python_files: For a Python program: the addresses of further .py and .zip files that it
            imports. None: as it ran last.
        savepoint: A savepoint or retained checkpoint to start from, for NEW, START,
            LAST_STATE_UPDATE and RE_LAUNCH: its whole address, as LIST_SAVEPOINT shows it.
        allow_non_restored_state: For this launch alone: start also when the savepoint has state
            that the job lacks.
        restore_mode: For this launch alone: NO_CLAIM leaves the savepoint in place, CLAIM lets
            Flink delete it.
        without_state: Only for NEW: start without state although the job has some: a savepoint, a
            retained checkpoint. Off, NEW is refused then.
        job_id: The Flink job that is meant, where the name alone is ambiguous.
        drain: Only for STOP for good: let the sources end first.
        savepoint_format: For SAVEPOINT, STOP and UPDATE. canonical is read by every state backend;
            native is quicker, and is read by the same state backend alone. automatic: canonical,
            unless the job's state backend, like ForSt, writes native ones only.
        roll_back: Whether an update, or a RE_LAUNCH with changes or a savepoint, must be able to
            return to what ran before.
        check_slots: Whether an update ends a job that runs only when the cluster has the task slots
            that the new one needs. Off where TaskManagers are added by something that Flink does
            not know of; on Kubernetes and YARN, and with the adaptive scheduler, Flink
            reports it.
        stable_seconds: How long a launched job must run without a restart before it counts.
        ready_within_seconds: How long to wait for the job to be stable.
        on_cancel: What happens to the job when this run is cancelled while it waits. leave: it is
            left as it is. stop_with_savepoint or cancel: it is ended.
        deadline_minutes: How long the action may take. The job is left as it is then, and a
            retry of this run goes on.
        take_over: Discard the unfinished action of a dead run on this job.

    Returns:
        How it ended: job id, state, savepoint, story.

    Raises:
        InvalidInput: A parameter was refused before any call.
        Conflict: Refused: the job is not in a state for this, or another run acts on it.
        RolledBack: The new job did not come to run; the old one runs again.
        JobFailed: The action failed, with both stories.
    """
    request = request_of(locals())
    ready = ReadyLimits(within_seconds=ready_within_seconds, stable_seconds=stable_seconds)
    options = ActionOptions(deadline_minutes * 60, ready, roll_back, savepoint_format, check_slots)
    chosen = cluster_of("cluster", cluster)
    outcome = perform_flink_action(
        chosen, request, requested_by(runtime.flow_run.id, request), options
    )
    return summary(raise_for_failure(outcome))


def summary(outcome: Outcome) -> dict[str, Any]:
    """The outcome as plain values."""
    return {name: value for name, value in asdict(outcome).items() if name != "changes"}
