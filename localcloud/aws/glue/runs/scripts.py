"""What the run engine asks of whatever runs the scripts of jobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from localcloud.aws.glue.runs.job_run import JobRun


class ScriptMissing(Exception):
    """The job's script could not be fetched.

    Args:
        bucket: The bucket of Command.ScriptLocation.
        key: The key of Command.ScriptLocation.
    """

    def __init__(self, bucket: str, key: str) -> None:
        super().__init__(f"s3://{bucket}/{key}")
        self.bucket = bucket
        self.key = key


class Scripts(Protocol):
    """What runs the scripts of jobs."""

    def can_run(self, run: JobRun) -> bool:
        """Whether the job's script is one that can be run here."""

    def start(self, run: JobRun, ended: Callable[[int], None]) -> None:
        """Start the script; ``ended`` gets its exit code, from another thread.

        Raises:
            ScriptMissing: There is no such object in S3.
        """

    def interrupt(self, job_run_id: str) -> None:
        """Ask the script's process to end."""

    def kill(self, job_run_id: str) -> None:
        """End the script's process and its children."""
