"""A job of a JobManager as the lifecycle sees it: several answers in one value."""

from __future__ import annotations

from dataclasses import replace

from flinkglue.errors import NotFound
from flinkglue.flink.api.failures import JobNotFound
from flinkglue.flink.api.lifecycle_rest import CheckpointConfig, FlinkLifecycleClient
from flinkglue.flink.api.rest import FlinkRestClient
from flinkglue.flink.models import Checkpoint, Checkpoints, JobDetails, JobStatus
from flinkglue.lifecycle.models import JobView


def listed_view(details: JobDetails) -> JobView:
    """What the list of jobs alone shows."""
    return JobView(
        job_id=details.job_id,
        job_name=details.name,
        state=str(details.status),
        tasks_total=details.tasks.total,
        tasks_running=details.tasks.running,
        tasks_finished=details.tasks.finished,
        started_at=details.start_time_ms / 1000,
        duration_seconds=details.duration_ms / 1000,
    )


def brief_view(client: FlinkRestClient, job_id: str) -> JobView | None:
    """What the job's details show, and why it failed; None when Flink does not know it."""
    try:
        details = client.job(job_id)
        has_failed = details.status is JobStatus.FAILED
        exception = client.exceptions(job_id).root_cause if has_failed else None
    except NotFound:
        return None
    return replace(listed_view(details), exception=exception)


def job_view(
    client: FlinkLifecycleClient, job_id: str, configs: dict[str, CheckpointConfig]
) -> JobView | None:
    """The job now, or None when Flink itself says that it does not know it.

    Args:
        configs: What is known of jobs' checkpoint settings, which never change; it is added to.
    """
    try:
        details = client.job(job_id)
        exceptions = client.exceptions(job_id)
    except JobNotFound:
        return None
    checkpoints, config = _checkpoints(client, job_id), _config(client, job_id, configs)
    completed, savepoint = checkpoints.latest_completed, checkpoints.latest_savepoint
    return replace(
        listed_view(details),
        restarts=max(exceptions.failures, _restarts(client, details)),
        checkpoint_every_seconds=config.every_seconds,
        kept_on_cancel=config.kept_on_cancel,
        kept_on_failure=config.kept_on_failure,
        completed_checkpoints=checkpoints.completed,
        failed_checkpoints=checkpoints.failed,
        checkpoint_path=_path(completed),
        checkpoint_at=completed.trigger_timestamp_ms / 1000 if completed else None,
        savepoint_path=_path(savepoint),
        savepoint_size_bytes=savepoint.size_bytes if savepoint else None,
        savepoint_at=savepoint.trigger_timestamp_ms / 1000 if savepoint else None,
        savepoint_id=savepoint.checkpoint_id if savepoint else 0,
        state_backend=config.state_backend,
        restored_path=_path(checkpoints.restored),
        exception=exceptions.root_cause,
        recent_checkpoints=tuple(
            (each.size_bytes, each.duration_ms / 1000)
            for each in checkpoints.recent
            if each.size_bytes is not None and each.duration_ms is not None
        ),
    )


def _checkpoints(client: FlinkLifecycleClient, job_id: str) -> Checkpoints:
    try:
        return client.checkpoints(job_id)
    except NotFound:
        # A job without checkpoints; one that vanished meanwhile is noticed by the next poll.
        return Checkpoints(0, 0, None, None)


def _config(
    client: FlinkLifecycleClient, job_id: str, configs: dict[str, CheckpointConfig]
) -> CheckpointConfig:
    if job_id in configs:
        return configs[job_id]
    config = client.checkpoint_config(job_id)
    if config != CheckpointConfig():  # else it may only be too early
        configs[job_id] = config
    return config


def _restarts(client: FlinkLifecycleClient, details: JobDetails) -> int:
    # A metric comes up to 10 seconds late, so the remembered failures are counted beside it.
    if details.is_globally_terminal:
        return 0
    try:
        return int(float(client.job_metrics(details.job_id, "numRestarts").get("numRestarts", 0)))
    except NotFound:
        return 0


def _path(checkpoint: Checkpoint | None) -> str | None:
    if checkpoint is None or checkpoint.discarded:
        return None
    path = checkpoint.external_path or ""
    # "<checkpoint-not-externally-addressable>": kept in the JobManager's memory.
    return None if not path or path.startswith("<") else path
