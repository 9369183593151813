"""The wire of a JobManager, in memory: enough of its REST API for jobs that only have a state."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any

import httpx

from flinkglue.flink.api.lifecycle_rest import FlinkLifecycleClient
from localcloud.azure.arm.jobs.flink_jobs import FlinkTarget
from localcloud.azure.arm.models import Cluster

IMAGE_ROOT = Path("/image")


class FakeFlink:
    """Jobs run at once and stay RUNNING.

    Attributes:
        runs: The bodies of the run requests.
        uploads: The names of the uploaded jars that were not deleted again.
        states: Job id to state; tests change it.
        refusal: The Java text that a run is refused with, or None.
        save_failure: The Java text that savepoints and stops fail with, or None.
        gate: Runs wait until it is set.
        is_down: Answer nothing at all.
    """

    def __init__(self) -> None:
        self.runs: list[dict[str, Any]] = []
        self.uploads: list[str] = []
        self.states: dict[str, str] = {}
        self.refusal: str | None = None
        self.save_failure: str | None = None
        self._saved: dict[str, str] = {}
        self.gate = threading.Event()
        self.gate.set()
        self.is_down = False

    def __call__(self, cluster: Cluster) -> FlinkTarget:
        transport = httpx.MockTransport(self._answer)
        return FlinkTarget(
            connect=lambda seconds: FlinkLifecycleClient(
                "http://flink", transport=transport, timeout_seconds=seconds
            ),
            image_root=IMAGE_ROOT,
            savepoints="file:///savepoints",
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.is_down:
            raise httpx.ConnectError("connection refused", request=request)
        path = request.url.path
        if path == "/jars/upload":
            name = re.search(rb'filename="([^"]+)"', request.read())
            assert name is not None
            self.uploads.append(f"0_{name[1].decode()}")
            return httpx.Response(200, json={"filename": f"/up/{self.uploads[-1]}"})
        if path.endswith("/run"):
            return self._run(json.loads(request.read()))
        if request.method == "DELETE":
            self.uploads.remove(path.rsplit("/", 1)[-1])
            return httpx.Response(200, json={})
        if request.method == "PATCH":
            self.states[path.rsplit("/", 1)[-1]] = "CANCELED"
            return httpx.Response(202, json={})
        if path.endswith(("/stop", "/savepoints")):
            return self._save(path, json.loads(request.read()))
        if "/savepoints/" in path:
            return self._saved_as(path.rsplit("/", 1)[-1])
        if path == "/jobs/overview":
            jobs = [{"jid": job_id, "state": state} for job_id, state in self.states.items()]
            return httpx.Response(200, json={"jobs": jobs})
        if path.startswith("/jobs/"):
            job_id = path.rsplit("/", 1)[-1]
            return httpx.Response(200, json={"jid": job_id, "state": self.states[job_id]})
        overview = {"flink-version": "1.17.0", "slots-total": 4, "taskmanagers": 1}
        return httpx.Response(200, json=overview)

    def _save(self, path: str, body: dict[str, Any]) -> httpx.Response:
        _, _, job_id, verb = path.split("/")
        if not self.save_failure:
            number = len(self._saved)
            directory = body.get("targetDirectory") or body["target-directory"]
            self._saved[body["triggerId"]] = f"{directory}/savepoint-{job_id[:6]}-{number:012x}"
            if verb == "stop":
                self.states[job_id] = "FINISHED"
        return httpx.Response(202, json={"request-id": body["triggerId"]})

    def _saved_as(self, trigger_id: str) -> httpx.Response:
        path = self._saved.get(trigger_id)
        failure = {"failure-cause": {"class": "X", "stack-trace": self.save_failure}}
        operation = {"location": path} if path else failure
        return httpx.Response(200, json={"status": {"id": "COMPLETED"}, "operation": operation})

    def _run(self, body: dict[str, Any]) -> httpx.Response:
        self.gate.wait(10)
        if self.refusal:
            return httpx.Response(400, json={"errors": [self.refusal]})
        self.runs.append(body)
        self.states[body["jobId"]] = "RUNNING"
        return httpx.Response(200, json={"jobid": body["jobId"]})
