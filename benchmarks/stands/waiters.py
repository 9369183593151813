"""The process that waits: a thread per run, by one of the designs.

    python -m benchmarks.stands.waiters DESIGN ENDPOINT_URL JOBS RUNS_PER_JOB

Prints what it measured.

Memory is the growth of the resident set (Linux) from before the first client until all wait.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import httpx
from botocore.config import Config

from flinkglue.glue.api.connection_reading import LOOKUP_THREADS
from flinkglue.glue.client import GlueClient
from flinkglue.glue.coordination.run_context import RunContext
from flinkglue.glue.models import ENDED_STATES, JobRun
from flinkglue.glue.run.observer import RunObserver
from flinkglue.glue.run.wait import watch_run
from flinkglue.glue.run_request import RunRequest
from flinkglue.tasks.glue import POLL_RUNS

BEGIN_WITHIN_SECONDS = 20.0
SETTLE_SECONDS = 15.0
MEASURED_SECONDS = 60.0
END_WITHIN_SECONDS = 60.0
AIRFLOW_SECONDS = 6.0  # job_poll_interval of its GlueJobOperator
PREFECT_AWS_SECONDS = 60.0  # job_watch_poll_interval of its GlueJobBlock

Wait = Callable[[str, str], float]
"""Waits for a run by job name and run id, and returns when it ended, in epoch seconds."""

_making = threading.Lock()  # the SDK's sessions must not be used by several threads


def poll(glue: Any, every_seconds: float, job_name: str, job_run_id: str) -> float:
    """GetJobRun until it has ended."""
    while True:
        run = glue.get_job_run(JobName=job_name, RunId=job_run_id)["JobRun"]
        if run["JobRunState"] in ENDED_STATES:
            ended_at: float = run["CompletedOn"].timestamp()
            return ended_at
        time.sleep(every_seconds)


def new_session() -> boto3.Session:
    return boto3.Session("key", "secret", region_name="us-east-1")


def own_session(endpoint_url: str) -> Wait:
    """As prefect-aws makes them: a session and a client for each run."""

    def wait(job_name: str, job_run_id: str) -> float:
        with _making:
            glue = new_session().client("glue", endpoint_url=endpoint_url)
        return poll(glue, PREFECT_AWS_SECONDS, job_name, job_run_id)

    return wait


def own_client(endpoint_url: str) -> Wait:
    """As people write it: boto3.client for each run, from the session that all share."""
    session = new_session()

    def wait(job_name: str, job_run_id: str) -> float:
        with _making:
            glue = session.client("glue", endpoint_url=endpoint_url)
        return poll(glue, AIRFLOW_SECONDS, job_name, job_run_id)

    return wait


def one_client(endpoint_url: str) -> Wait:
    """One client for all, with as many connections as ours has."""
    config = Config(max_pool_connections=LOOKUP_THREADS)
    glue = new_session().client("glue", endpoint_url=endpoint_url, config=config)
    return lambda job_name, job_run_id: poll(glue, AIRFLOW_SECONDS, job_name, job_run_id)


def ours(endpoint_url: str) -> Wait:
    client = GlueClient.connect(new_session(), {"endpoint_url": endpoint_url})
    log = logging.getLogger(__name__)

    def wait(job_name: str, job_run_id: str) -> float:
        run = JobRun(job_name, job_run_id, "STARTING")
        request = RunRequest(job_name, "", since=datetime.now(UTC))
        ended = watch_run(RunContext(client, log, pace=POLL_RUNS), request, run, RunObserver())
        assert ended.completed_on is not None
        return ended.completed_on.timestamp()

    return wait


DESIGNS = {each.__name__: each for each in (own_session, own_client, one_client, ours)}


def resident_megabytes() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def measure(design: str, endpoint_url: str, jobs: int, runs_per_job: int) -> dict[str, Any]:
    late_seconds: list[float] = []

    def emit(operation: str, **given: Any) -> dict[str, Any]:
        target = {"X-Amz-Target": f"Benchmark.{operation}"}
        told: dict[str, Any] = httpx.post(endpoint_url, json=given, headers=target).json()
        return told

    def see_the_end(job_name: str, job_run_id: str) -> None:
        ended_at = wait(job_name, job_run_id)
        late_seconds.append(time.time() - ended_at)

    emit("Calls")
    before = resident_megabytes()
    wait = DESIGNS[design](endpoint_url)
    threads = []
    for r in range(runs_per_job):
        for j in range(jobs):
            threads.append(threading.Thread(target=see_the_end, args=(f"job-{j}", f"jr_{j}_{r}")))
            threads[-1].start()
            time.sleep(BEGIN_WITHIN_SECONDS / (jobs * runs_per_job))
    time.sleep(SETTLE_SECONDS)

    calls_before, cpu_before, began_at = emit("Calls"), time.process_time(), time.monotonic()
    time.sleep(MEASURED_SECONDS)
    calls, cpu = emit("Calls"), time.process_time() - cpu_before
    minutes = (time.monotonic() - began_at) / 60
    grown = resident_megabytes() - before

    emit("End", within_seconds=END_WITHIN_SECONDS)
    for thread in threads:
        thread.join()
    assert len(late_seconds) == len(threads), "a thread died"
    return {
        "megabytes": grown,
        "calls": {name: (calls[name] - calls_before.get(name, 0)) / minutes for name in calls},
        "cpu_seconds": cpu / minutes,
        "late_seconds": late_seconds,
    }


if __name__ == "__main__":
    design, endpoint_url, jobs, runs_per_job = sys.argv[1:]
    print(json.dumps(measure(design, endpoint_url, int(jobs), int(runs_per_job))))
