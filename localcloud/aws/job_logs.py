"""The output of jobs in CloudWatch Logs."""

from __future__ import annotations

import codecs
import threading
import time
from typing import Literal

from moto.logs.models import LogsBackend

StreamName = Literal["output", "error"]


class JobLogs:
    """Writes to /aws-glue/jobs/output and /aws-glue/jobs/error, one stream per run.

    Args:
        logs: Moto's CloudWatch Logs of the account and region.
        lock: Held by everybody who touches moto.
    """

    def __init__(self, logs: LogsBackend, lock: threading.RLock) -> None:
        self._logs = logs
        self._lock = lock

    def writer(self, stream: StreamName, job_run_id: str) -> LogWriter:
        """What one pipe of one run is written to."""
        return LogWriter(self, f"/aws-glue/jobs/{stream}", job_run_id)

    def append(self, log_group_name: str, log_stream_name: str, lines: list[str]) -> None:
        """Add lines as events; group and stream are made if they are missing."""
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": line} for line in lines]
        with self._lock:
            if log_group_name not in self._logs.groups:
                self._logs.create_log_group(log_group_name, tags={})
            self._logs.ensure_log_stream(log_group_name, log_stream_name)
            self._logs.put_log_events(log_group_name, log_stream_name, events)


class LogWriter:
    """Turns bytes of a pipe into log events, a line each."""

    def __init__(self, logs: JobLogs, log_group_name: str, log_stream_name: str) -> None:
        self._logs = logs
        self._log_group_name = log_group_name
        self._log_stream_name = log_stream_name
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._rest = ""

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
