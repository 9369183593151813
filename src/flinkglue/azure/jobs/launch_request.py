"""What ARM is sent for a launch: checked before any call. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from flinkglue.azure.arm.run_job import RunJob
from flinkglue.azure.jobs.rows import (
    LAUNCH_KEY,
    flink_configuration,
    jar_directory,
    row_to_start,
    save_point_name,
)
from flinkglue.azure.models import ArmFlinkJob
from flinkglue.azure.storage.abfs import AbfsUri
from flinkglue.errors import InvalidInput
from flinkglue.lifecycle.backend import Launch, LaunchRefused
from flinkglue.lifecycle.models import Action, JobSpec


def run_job_of(spec: JobSpec, launch_id: str = "") -> RunJob:
    """NEW for a spec, checked before any call.

    Raises:
        InvalidInput: A value that ARM would refuse, misread or ignore.
    """
    if spec.restore_mode != "NO_CLAIM":
        raise InvalidInput("restore_mode", spec.restore_mode, "NO_CLAIM: ARM takes no other")
    if spec.allow_non_restored_state:
        allowed = "false: ARM has no such property"
        raise InvalidInput("allow_non_restored_state", True, allowed)
    if spec.jar.made_of is not None:
        allowed = "a .jar: ARM runs the file in storage, and packs no Python or SQL into one"
        raise InvalidInput("jar", spec.jar.uri, allowed)
    if spec.entry_class is None:
        raise InvalidInput("entry_class", None, "the class with main(): ARM reads no manifest")
    AbfsUri.parse(spec.jar.uri, "jar")  # what people give; ARM takes it as two values
    settings = flink_configuration(spec)
    if launch_id:
        settings[LAUNCH_KEY] = launch_id
    return RunJob.new(
        spec.job_name,
        jar_directory(spec),
        spec.jar.name,
        spec.entry_class,
        args=spec.args,
        parallelism=spec.parallelism,
        flink_configuration=settings,
    )


def launch_request(launch: Launch, rows: Sequence[ArmFlinkJob], *, reaches_flink: bool) -> RunJob:
    """NEW; or START from a savepoint and STATELESS_UPDATE without one, where a row is listed.

    Raises:
        LaunchRefused: Whether ARM takes the savepoint could not be verified.
    """
    new = run_job_of(launch.spec, launch.job_id)
    row = row_to_start(rows, launch.spec.job_name, launch.previous_job_id)
    if launch.restore_from is None:
        again = Action.STATELESS_UPDATE
        return replace(new, action=again, run_id=row.run_id) if row else new
    if row is None and not reaches_flink:
        raise LaunchRefused(
            f"ARM lists no job {launch.spec.job_name} to START, and whether NEW takes the "
            f"savepoint {launch.restore_from} cannot be verified without a Flink REST URL"
        )
    if row is None:
        return replace(new, save_point_name=launch.restore_from)
    return replace(
        new,
        action=Action.START,
        save_point_name=save_point_name(row, launch.restore_from),
        run_id=row.run_id,
    )
