"""Have a job in the account as its definition says: read first, written only where it differs.

It can be repeated at any moment. The job's lock is the one under which runs write the order of its
connections, so neither undoes the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from flinkglue.errors import (
    Conflict,
    InDoubt,
    InvalidInput,
    NotFound,
    PermissionDenied,
    ServiceUnavailable,
)
from flinkglue.glue.api.job_update import JobUpdate, connections_of
from flinkglue.glue.client import GlueClient
from flinkglue.glue.coordination.lock import HeldLock, Locks, job_lock_name
from flinkglue.glue.definition.changes import changes_between, created_body, updated_body
from flinkglue.glue.definition.script_store import Script, ScriptStore
from flinkglue.glue.definition.service_model import check_definition
from flinkglue.glue.definition.tags import JobTags, changed_tags, tag_differences
from flinkglue.glue.job_definition import JobDefinition
from flinkglue.glue.models import Job
from flinkglue.glue.run_request import Log
from flinkglue.lifecycle.differences import Difference


class Deployed(StrEnum):
    """What was done to the job."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    PLANNED = "planned"


@dataclass(frozen=True)
class JobDeployment:
    """How a deployment of a job ended.

    Args:
        previous: What UpdateJob would take to undo it; None when the job did not exist.
        not_taken: What Glue shows differently after it was written.
        lost: What the job has that cannot be read, and would not have any more.
    """

    job_name: str
    deployed: Deployed
    changes: tuple[Difference, ...]
    script_location: str
    previous: Mapping[str, Any] | None = None
    not_taken: tuple[Difference, ...] = ()
    lost: tuple[str, ...] = ()


def deploy_job(
    client: GlueClient,
    definition: JobDefinition,
    *,
    locks: Locks,
    log: Log,
    script: Script | None = None,
    scripts: ScriptStore | None = None,
    tags: JobTags | None = None,
    dry_run: bool = False,
    allow_lost_settings: bool = False,
    keep_connections: bool = False,
) -> JobDeployment:
    """Create the job, or write what differs.

    Args:
        script: The job's script; None leaves ``Command.ScriptLocation`` to the definition.
        scripts: Where it is kept; needed with ``script``.
        tags: The account's tags; without them, and where the caller may not read them, those of the
            definition count only when the job is created.
        allow_lost_settings: Write also when the job loses what cannot be read of it.
        keep_connections: Leave the connections of a job that exists to its runs.

    Raises:
        InvalidInput: The definition cannot be used; nothing was written.
        CallFailed: A service refused, or did not answer. It can be repeated.
    """
    if script is not None:
        definition = definition.with_script(script.location)
    check_definition(definition, client.job_update_shape)
    job = _job(client, definition.job_name)
    if keep_connections and job is not None:
        definition = definition.without("Connections")
    settings = _compare(client, definition, job)
    tagged = _tags_of(tags, definition, log) if tags and job is not None else None
    changed = changed_tags(tagged, definition.tags) if tagged is not None else {}
    rows = tag_differences(tagged or {}, changed)
    deployment = _with_tags(settings, rows, Deployed.PLANNED)
    for change in deployment.changes:
        log.info("Job %s: %s: %s → %s", definition.job_name, change.field, change.old, change.new)
    if dry_run:
        return deployment
    _check_nothing_is_lost(settings, allow_lost_settings)
    # Also for a job that runs it already: somebody may have deleted it.
    if script is not None and scripts is not None and scripts.put(script):
        log.info("Uploaded %s to %s", script.name, script.location)
    if deployment.deployed is Deployed.UNCHANGED:
        return deployment
    written = settings
    if settings.deployed is not Deployed.UNCHANGED:
        with locks.hold(job_lock_name(client.region, definition.job_name)) as lock:
            written = _write(client, definition, lock, allow_lost_settings)
    if tags and changed:
        tags.write(definition.job_name, changed)
    written = _with_tags(written, rows, Deployed.UPDATED)
    log.info("Job %s was %s", written.job_name, written.deployed)
    return written


def _tags_of(tags: JobTags, definition: JobDefinition, log: Log) -> Mapping[str, str] | None:
    """The job's tags; None: they are left as they are.

    A definition may name tags for CreateJob alone, by a caller who may not read them. One that
    removes a tag is none of these.
    """
    if not definition.tags:
        return None
    try:
        return tags.read(definition.job_name)
    except PermissionDenied as denied:
        if None in definition.tags.values():
            raise
        log.warning("The tags of job %s are left as they are: %s", definition.job_name, denied)
        return None


def _with_tags(
    deployment: JobDeployment, rows: tuple[Difference, ...], deployed: Deployed
) -> JobDeployment:
    """The deployment with its changes of tags, which are all that it does where nothing differs."""
    if rows and deployment.deployed is Deployed.UNCHANGED:
        deployment = replace(deployment, deployed=deployed)
    return replace(deployment, changes=(*deployment.changes, *rows))


def _compare(client: GlueClient, definition: JobDefinition, job: Job | None) -> JobDeployment:
    if job is None:
        definition.check_creatable()
    changes = changes_between(job or {}, definition)
    deployed = Deployed.PLANNED if changes or job is None else Deployed.UNCHANGED
    command = {**((job or {}).get("Command") or {}), **(definition.settings.get("Command") or {})}
    plan = client.plan_update(job, connections_of(job)) if job is not None else None
    given = _paths(definition.settings)
    return JobDeployment(
        definition.job_name,
        deployed,
        changes,
        command.get("ScriptLocation", ""),
        plan.body if plan else None,
        lost=tuple(name for name in (plan.lost if plan else ()) if name not in given),
    )


def _paths(settings: Mapping[str, Any], prefix: str = "") -> set[str]:
    """Every setting that a definition names, members of structures as ``Command.Name``."""
    found = set()
    for name, value in settings.items():
        found.add(f"{prefix}{name}")
        if isinstance(value, Mapping):
            found |= _paths(value, f"{prefix}{name}.")
    return found


def _check_nothing_is_lost(deployment: JobDeployment, allow_lost_settings: bool) -> None:
    writes = deployment.deployed is not Deployed.UNCHANGED
    if writes and deployment.lost and not allow_lost_settings:
        raise InvalidInput(
            "allow_lost_settings",
            False,
            f"true, or a definition that names what cannot be read of job {deployment.job_name} "
            f"and would be overwritten: {', '.join(deployment.lost)}",
        )


def _write(
    client: GlueClient, definition: JobDefinition, lock: HeldLock, allow_lost_settings: bool
) -> JobDeployment:
    """Under the lock: what was read before may have changed, so it is read again."""
    job = _job(client, definition.job_name)
    planned = _compare(client, definition, job)
    if planned.deployed is Deployed.UNCHANGED:
        return planned
    _check_nothing_is_lost(planned, allow_lost_settings)
    lock.check()
    if job is None or planned.previous is None:
        _create(client, definition)
        deployed = Deployed.CREATED
    else:
        body = updated_body(planned.previous, job, definition)
        update = JobUpdate(body, connections_of(job), connections_of(body))
        client.update_job(definition.job_name, update)
        deployed = Deployed.UPDATED
    left = changes_between(client.get_job(definition.job_name), definition)
    return replace(planned, deployed=deployed, not_taken=left)


def _create(client: GlueClient, definition: JobDefinition) -> None:
    """Names are unique, so a call whose answer was lost shows when the job is read."""
    try:
        client.create_job(definition.job_name, created_body(definition))
    except (Conflict, InDoubt, ServiceUnavailable) as error:
        job = _job(client, definition.job_name)
        if job is None or changes_between(job, definition):
            raise error


def _job(client: GlueClient, job_name: str) -> Job | None:
    try:
        return client.get_job(job_name)
    except NotFound:
        return None
