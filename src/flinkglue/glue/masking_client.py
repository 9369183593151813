"""A client whose answers and errors hold no value of a secret job argument."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from flinkglue.errors import CallFailed
from flinkglue.glue.api.log_reading import LogPage, LogPosition
from flinkglue.glue.api.run_watch import Waiter
from flinkglue.glue.client import GlueClient
from flinkglue.glue.log_places import LogTail
from flinkglue.glue.masking import Masking
from flinkglue.glue.models import JobRun
from flinkglue.glue.run_request import RunRequest


def masking(client: GlueClient, request: RunRequest) -> GlueClient:
    """The client for what is asked; the same one when it has no secret arguments."""
    return MaskingClient(client, request) if request.secret_arguments else client


class MaskingClient(GlueClient):
    """As the client it is made from, over the same connections and with the same shared looks.

    It learns the values from the runs of the flow run that it starts and reads; before it shows the
    log of a run that it has not seen, it reads the run.

    Args:
        client: The client.
        request: Which arguments are secret, and whose runs get them: those of its flow run; of
            every run that is read when it has none.
    """

    def __init__(self, client: GlueClient, request: RunRequest) -> None:
        super().__init__(client._glue, client._glue_without_retries, client._ec2, client._logs)
        self.run_watch = client.run_watch
        self.slot_readings = client.slot_readings
        self._flow_run_id = request.flow_run_id
        self._masking = Masking(request.secret_arguments.keys())
        self._seen: set[str] = set()

    def start_job_run(
        self, job_name: str, arguments: Mapping[str, str], options: Mapping[str, Any] | None = None
    ) -> str:
        self._masking.learn(arguments)
        with self._masked_errors():
            job_run_id = super().start_job_run(job_name, arguments, options)
        self._seen.add(job_run_id)
        return job_run_id

    def get_job_run(self, job_name: str, job_run_id: str) -> JobRun:
        with self._masked_errors():
            return super().get_job_run(job_name, job_run_id)

    def poll(self, waiter: Waiter) -> JobRun:
        self._see(waiter.run)
        with self._masked_errors():
            return self._masking.run(super().poll(waiter))

    def job_run_pages(self, job_name: str, since: datetime) -> Iterator[list[JobRun]]:
        with self._masked_errors():
            yield from super().job_run_pages(job_name, since)

    def new_log_lines(self, run: JobRun, kind: str, read_until: LogPosition | None) -> LogPage:
        self._see(run)
        page = super().new_log_lines(run, kind, read_until)
        return page._replace(lines=[self._masking.text(line) for line in page.lines])

    def log_tail(self, run: JobRun, kind: str, most: int) -> LogTail:
        self._see(run)
        tail = super().log_tail(run, kind, most)
        return tail._replace(lines=[self._masking.text(line) for line in tail.lines])

    def _job_run(self, answer: Mapping[str, Any]) -> JobRun:
        run = super()._job_run(answer)
        is_meant = run.key.startswith(self._flow_run_id) if run.key else not self._flow_run_id
        if is_meant:
            self._masking.learn(answer.get("Arguments") or {})
        self._seen.add(run.job_run_id)
        return self._masking.run(run)

    def _see(self, run: JobRun) -> None:
        if run.job_run_id not in self._seen:
            self.get_job_run(run.job_name, run.job_run_id)

    @contextmanager
    def _masked_errors(self) -> Iterator[None]:
        """A service may repeat in its refusal what it was sent."""
        try:
            yield
        except CallFailed as error:
            raise self._masking.error(error) from None
