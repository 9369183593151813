"""Runs the scripts of Glue jobs as processes that believe to be on their driver."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlparse

from moto.s3.exceptions import MissingBucket
from moto.s3.models import S3Backend

from localcloud.aws.glue.runs.job_run import JobRun
from localcloud.aws.glue.runs.scripts import ScriptMissing
from localcloud.aws.logs.job_logs import JobLogs
from localcloud.aws.scripts.process import ScriptProcesses
from localcloud.aws.seed import Account

_BOOTSTRAP = Path(__file__).parent / "bootstrap"
_PYTHON_COMMANDS = ("glueetl", "gluestreaming", "pythonshell")
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH")


class ScriptRunner:
    """Fetches scripts from S3 and runs them.

    Args:
        s3: Moto's S3 of the account.
        lock: Held by everybody who touches moto.
        logs: Where output goes.
        account: Whose credentials the scripts get.
        directory: Where scripts are kept while they run.
        endpoint_url: The address of this AWS, known once it is served.
    """

    def __init__(
        self,
        s3: S3Backend,
        lock: threading.RLock,
        logs: JobLogs,
        account: Account,
        directory: Path,
        endpoint_url: Callable[[], str],
    ) -> None:
        self._s3 = s3
        self._lock = lock
        self._logs = logs
        self._account = account
        self._directory = directory
        self._endpoint_url = endpoint_url
        self._processes = ScriptProcesses()

    def open(self) -> None:
        """Be ready to run scripts."""
        self._processes.start()

    def close(self) -> None:
        """End every script that is left."""
        self._processes.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def can_run(self, run: JobRun) -> bool:
        """Whether the job is a Python script; Scala and Ray are not run."""
        language = run.all_arguments().get("--job-language", "python")
        return run.definition["Command"]["Name"] in _PYTHON_COMMANDS and language == "python"

    def start(self, run: JobRun, ended: Callable[[int], None]) -> None:
        """Start the script of a run.

        Raises:
            ScriptMissing: There is no such object in S3.
        """
        location = urlparse(run.definition["Command"].get("ScriptLocation", ""))
        script = self._fetch(location.netloc, location.path.lstrip("/"))
        directory = self._directory / run.id
        directory.mkdir(mode=0o700, parents=True)
        path = directory / Path(location.path).name
        path.write_bytes(script)

        def clean_up(exit_code: int) -> None:
            shutil.rmtree(directory, ignore_errors=True)
            ended(exit_code)

        self._processes.launch(
            run.id,
            [sys.executable, str(path), *_script_arguments(run)],
            directory=directory,
            environment=self._environment(run, directory),
            output=self._logs.writer("output", run),
            error=self._logs.writer("error", run).open(),
            ended=clean_up,
        )

    def interrupt(self, job_run_id: str) -> None:
        """Ask the script to end."""
        self._processes.signal(job_run_id, signal.SIGTERM)

    def kill(self, job_run_id: str) -> None:
        """End the script and its children."""
        self._processes.signal(job_run_id, signal.SIGKILL)

    def _fetch(self, bucket: str, key: str) -> bytes:
        with self._lock:
            try:
                found = self._s3.get_object(bucket, key)
            except MissingBucket:
                found = None
            if found is None:
                raise ScriptMissing(bucket, key)
            return bytes(found.value)

    def _environment(self, run: JobRun, directory: Path) -> dict[str, str]:
        """What a driver has; nothing of the person who runs the local cloud, nor of their home."""
        address = driver_address(run)
        return {
            **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            "HOME": str(directory),
            "TMPDIR": str(directory),
            "PYTHONPATH": str(_BOOTSTRAP),
            "PYTHONUNBUFFERED": "1",
            "LOCALCLOUD_DRIVER_ADDRESS": address,
            "LOCALCLOUD_DRIVER_HOST_NAME": host_name(address, self._account.region),
            "AWS_ENDPOINT_URL": self._endpoint_url(),
            "AWS_ACCESS_KEY_ID": self._account.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self._account.secret_access_key,
            "AWS_REGION": self._account.region,
            "AWS_DEFAULT_REGION": self._account.region,
        }


def driver_address(run: JobRun) -> str:
    """The address of the driver's interface; outside of a VPC, one of Glue's own network."""
    if run.addresses:
        return run.addresses[0].private_ip_address
    first, second = hashlib.sha256(run.id.encode()).digest()[:2]
    return f"172.34.{first}.{second}"


def host_name(address: str, region: str) -> str:
    """The private DNS name that EC2 gives to an address."""
    domain = "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"
    return f"ip-{address.replace('.', '-')}.{domain}"


def _script_arguments(run: JobRun) -> list[str]:
    own = {"--JOB_NAME": run.job_name, "--JOB_RUN_ID": run.id, "--JOB_ID": f"j_{run.id[3:]}"}
    merged = {**run.all_arguments(), **own}
    # An argument without a value is a flag; Glue passes its name alone.
    return [part for name, value in merged.items() for part in (name, value) if part]
