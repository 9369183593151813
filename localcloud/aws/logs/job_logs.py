"""The output of jobs in CloudWatch Logs."""

from __future__ import annotations

import codecs
import threading
import time
from typing import Literal

from moto.logs.models import LogsBackend

from localcloud.aws.glue.definitions.job_kinds import major_version
from localcloud.aws.glue.runs.job_run import JobRun

StreamName = Literal["output", "error"]
_FIRST_WITH_PREFIXES = 5


class JobLogs:
    """Writes what a run's script does, one stream per run unless its job names one for all.

    Args:
        logs: Moto's CloudWatch Logs of the account and region.
        lock: Held by everybody who touches moto.
    """

    def __init__(self, logs: LogsBackend, lock: threading.RLock) -> None:
        self._logs = logs
        self._lock = lock

    def writer(self, stream: StreamName, run: JobRun) -> LogWriter:
        """What one pipe of one run is written to.

        https://docs.aws.amazon.com/glue/latest/dg/monitor-continuous-logging.html tells the two
        arguments of Glue 5.0 and what they make of the names.
        """
        group, name = run.log_group_name, run.id
        if major_version(run.definition) >= _FIRST_WITH_PREFIXES:
            given = run.all_arguments()
            group = given.get("--custom-logGroup-prefix", group)
            if prefix := given.get("--custom-logStream-prefix"):
                name = f"{prefix}-driver"
        return LogWriter(self, f"{group}/{stream}", name)

    def open_stream(self, log_group_name: str, log_stream_name: str) -> None:
        """Make group and stream if they are missing."""
        with self._lock:
            if log_group_name not in self._logs.groups:
                self._logs.create_log_group(log_group_name, tags={})
            self._logs.ensure_log_stream(log_group_name, log_stream_name)

    def append(self, log_group_name: str, log_stream_name: str, lines: list[str]) -> None:
        """Add lines as events; group and stream are made if they are missing."""
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": line} for line in lines]
        with self._lock:
            self.open_stream(log_group_name, log_stream_name)
            self._logs.put_log_events(log_group_name, log_stream_name, events)


class LogWriter:
    """Turns bytes of a pipe into log events, a line each."""

    def __init__(self, logs: JobLogs, log_group_name: str, log_stream_name: str) -> None:
        self._logs = logs
        self._log_group_name = log_group_name
        self._log_stream_name = log_stream_name
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._rest = ""

    def open(self) -> LogWriter:
        """Make the stream before there is anything to write: Glue's own words come first."""
        self._logs.open_stream(self._log_group_name, self._log_stream_name)
        return self

    def write(self, data: bytes) -> None:
        """Add output; a line is shown once it is complete."""
        *lines, self._rest = (self._rest + self._decoder.decode(data)).split("\n")
        self._append(lines)

    def close(self) -> None:
        """Show what came without a line's end."""
        self._append([self._rest + self._decoder.decode(b"", final=True)])
        self._rest = ""

    def _append(self, lines: list[str]) -> None:
        # CloudWatch Logs takes no empty message.
        shown = [line for line in lines if line.strip()]
        if shown:
            self._logs.append(self._log_group_name, self._log_stream_name, shown)
