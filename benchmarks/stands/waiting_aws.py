"""Glue with runs that go on until they are told to end, answering after a fixed delay.

    python -m benchmarks.stands.waiting_aws JOBS RUNS_PER_JOB DELAY_SECONDS      prints the port

GetJobRun and GetJobRuns, and for the benchmark itself: Benchmark.Calls counts the calls so far by
operation, Benchmark.End has the runs end one after the other within so many seconds.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from benchmarks.stands.delayed_aws import Answer, serve

PAGE = 200


class WaitingGlue:
    """Some jobs, each with runs named by their numbers."""

    def __init__(self, jobs: int, runs_per_job: int) -> None:
        self.began_at = time.time()
        self.calls: Counter[str] = Counter()
        self.ends: dict[str, float] = {}
        self.runs = {f"job-{j}": [f"jr_{j}_{r}" for r in range(runs_per_job)] for j in range(jobs)}
        self.operations: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "AWSGlue.GetJobRun": lambda given: {
                "JobRun": self.run(given["JobName"], given["RunId"])
            },
            "AWSGlue.GetJobRuns": self.page,
            "Benchmark.Calls": lambda given: dict(self.calls),
            "Benchmark.End": self.end,
        }

    def answer(self, target: str, body: str) -> Answer:
        service, operation = target.split(".")
        answered = self.operations[target](json.loads(body))
        if service == "AWSGlue":
            self.calls[operation] += 1
        return "application/x-amz-json-1.1", json.dumps(answered).encode()

    def page(self, given: dict[str, Any]) -> dict[str, Any]:
        """Newest first."""
        ids = self.runs[given["JobName"]][::-1]
        begin = int(given.get("NextToken", 0))
        end = begin + min(PAGE, given.get("MaxResults", PAGE))
        shown = {"JobRuns": [self.run(given["JobName"], run_id) for run_id in ids[begin:end]]}
        return {**shown, "NextToken": str(end)} if end < len(ids) else shown

    def run(self, job_name: str, job_run_id: str) -> dict[str, Any]:
        """A run with as much to say as most have."""
        ended_at = self.ends.get(job_run_id, float("inf"))
        ended = time.time() >= ended_at
        return {
            "Id": job_run_id,
            "JobName": job_name,
            "JobRunState": "SUCCEEDED" if ended else "RUNNING",
            "StartedOn": self.began_at,
            **({"CompletedOn": ended_at} if ended else {}),
            "Attempt": 0,
            "Timeout": 2880,
            "WorkerType": "G.1X",
            "NumberOfWorkers": 10,
            "MaxCapacity": 10.0,
            "GlueVersion": "5.0",
            "ExecutionClass": "STANDARD",
            "LogGroupName": "/aws-glue/jobs",
            "Arguments": {
                "--flinkglue-run-key": f"0d5f1b0e-7c34-4f7e-9a51-5b6f0f0c9f11/{job_run_id}/1",
                "--flinkglue-connection": "connection-001",
                "--TempDir": "s3://bucket/temporary/",
                "--job-language": "python",
                "--enable-metrics": "true",
                "--date": "2026-01-01",
            },
            "PredecessorRuns": [],
        }

    def end(self, given: dict[str, Any]) -> dict[str, Any]:
        """Each run ends at a random moment, the same ones each time."""
        rng = random.Random(0)
        now = time.time()
        for ids in self.runs.values():
            for job_run_id in ids:
                self.ends[job_run_id] = now + rng.uniform(0, given["within_seconds"])
        return {}


if __name__ == "__main__":
    glue = WaitingGlue(int(sys.argv[1]), int(sys.argv[2]))
    asyncio.run(serve(glue.answer, float(sys.argv[3])))
