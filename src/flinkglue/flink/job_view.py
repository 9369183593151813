"""A job of a JobManager as the lifecycle sees it: several answers in one value."""

from __future__ import annotations

from dataclasses import replace

from flinkglue.errors import NotFound
from flinkglue.flink.api.failures import JobNotFound
from flinkglue.flink.api.lifecycle_rest import CheckpointConfig, FlinkLifecycleClient
from flinkglue.flink.api.rest import FlinkRestClient
from flinkglue.flink.models import Checkpoint, Checkpoints
from flinkglue.lifecycle.models import JobView


def brief_view(client: FlinkRestClient, job_id: str) -> JobView | None:
    """What the job's details show, and why it failed; None when Flink does not know it."""
    try:
        job = client.job(job_id)
        if job.state == "FAILED":
            return replace(job, exception=client.exceptions(job_id).root_cause)
    except NotFound:
        return None
    return job


def job_view(
    client: FlinkLifecycleClient, job_id: str, configs: dict[str, CheckpointConfig]
) -> JobView | None:
    """The job now, or None when Flink itself says that it does not know it.

    Args:
        configs: What is known of jobs' checkpoint settings, which never change; it is added to.
    """
    try:
        job = client.job(job_id)
        exceptions = client.exceptions(job_id)
    except JobNotFound:
        return None
    checkpoints, config = _checkpoints(client, job_id), _config(client, job_id, configs)
    completed, savepoint = checkpoints.latest_completed, checkpoints.latest_savepoint
    return replace(
        job,
        restarts=max(exceptions.failures, _restarts(client, job)),
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


def _restarts(client: FlinkLifecycleClient, job: JobView) -> int:
    # A metric comes up to 10 seconds late, so the remembered failures are counted beside it.
    if job.is_terminal:
        return 0
    try:
        return int(float(client.job_metrics(job.job_id, "numRestarts").get("numRestarts", 0)))
    except NotFound:
        return 0


def _path(checkpoint: Checkpoint | None) -> str | None:
    if checkpoint is None or checkpoint.discarded:
        return None
    path = checkpoint.external_path or ""
    # "<checkpoint-not-externally-addressable>": kept in the JobManager's memory.
    return None if not path or path.startswith("<") else path
