"""The wire of ARM for one cluster, in memory: runJob, its operations, and the jobs list.

Rows are as recorded. Actions end at once; what is odd about the service is switched on by tests.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
from pydantic import SecretStr

from flinkglue.azure.arm.client import ArmClient
from flinkglue.azure.arm.timeouts import ArmTimeouts
from flinkglue.azure.jobs.backend import ArmBackend
from flinkglue.azure.models import FlinkClusterId
from flinkglue.clock import Clock, Pace
from flinkglue.http.auth import BearerToken
from flinkglue.lifecycle.backend import FlinkBackend

ENDPOINT = "https://arm.test"
CLUSTER = FlinkClusterId("subscription", "group", "pool", "cluster")
DIRECTORY = "abfs://filesystem@account.dfs.core.windows.net/jars"
SAVEPOINTS = "abfs://filesystem@account.dfs.core.windows.net/savepoints"
STEADY = Pace(first_seconds=1, most_seconds=2, jitter=0)
_LAUNCHING = ("NEW", "START", "UPDATE", "STATELESS_UPDATE")
_KEPT = ("jobJarDirectory", "jarName", "entryClass", "args")

Row = dict[str, Any]


class FakeArm:
    """A cluster of HDInsight on AKS without a Flink.

    Attributes:
        rows: The properties of the jobs list's rows, oldest first.
        asked: The properties of each runJob, in order.
        bad_jars: Jars whose launch fails.
        saves: Whether savepoints, stops and lists of savepoints succeed.
        drop: Whether the next answer to runJob is lost, after it was done.
        drop_before: The same, before it was done.
        hides: How many looks at the list a new row is missing from.
        fails_operations: Whether operations fail, and nothing is done.
        forbids_operations: Whether nobody may look at operations.
        is_late: Whether new rows are still missing from the list.
        at_look_after_asking: Is called at each look with the number of looks since the last runJob.
        lags: How many looks the list is behind, with new rows and with changes to old ones.
        ignores_filter: Whether every row is listed, whatever name is asked for.
        application: Whether the cluster is in Application Mode.
        answers_html: How many next looks are answered with a proxy's page.
        most_live: The most jobs that ran at once.
    """

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.asked: list[Row] = []
        self.bad_jars: set[str] = set()
        self.saves = True
        self.drop = self.drop_before = False
        self.hides = 0
        self.fails_operations = False
        self.forbids_operations = False
        self.is_late: Callable[[], bool] = lambda: False
        self.at_look_after_asking: Callable[[int], None] = lambda looks: None
        self.lags = 0
        self.ignores_filter = False
        self.application = False
        self.answers_html = 0
        self.most_live = 0
        self._looks: list[list[Row]] = []
        self._looks_since = 0
        self._hidden: dict[int, int] = {}
        self._count = 0

    def live(self) -> list[Row]:
        return [row for row in self.rows if row.get("status") in ("RUNNING", "STOP-FAILED")]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path.endswith("/runJob"):
            return self._run_job(json.loads(request.content)["properties"])
        if "/operationStatuses/" in path:
            if self.forbids_operations:
                denied = {"code": "AuthorizationFailed", "message": "no role"}
                return httpx.Response(403, json={"error": denied})
            error = {"error": {"code": "InternalServerError", "message": "no capacity"}}
            failed = {"status": "Failed", **error}
            return httpx.Response(200, json=failed if "failed" in path else {"status": "Succeeded"})
        if path.endswith("/jobs"):
            return self._list(request.url.params.get("$filter"))
        mode = {"deploymentMode": "Application"} if self.application else {}
        profile = {"clusterProfile": {"flinkProfile": mode} if mode else {}}
        return httpx.Response(200, json={"name": "cluster", "properties": profile})

    def _list(self, expression: str | None) -> httpx.Response:
        if self.answers_html:
            self.answers_html -= 1
            return httpx.Response(200, html="<html>Back soon.</html>")
        if self.asked:
            self._looks_since += 1
            self.at_look_after_asking(self._looks_since)
        name = expression.removeprefix("jobName eq ") if expression else None
        listed = []
        for row in self.rows:
            if self._hidden.get(id(row), 0) > 0:
                self._hidden[id(row)] -= 1
            elif not (row.get("action") == "NEW" and self.is_late()):
                listed.append(dict(row))
        self._looks.append(listed)
        told = self._looks[max(0, len(self._looks) - 1 - self.lags)]
        shown = [row for row in told if self.ignores_filter or name in (None, row.get("jobName"))]
        return httpx.Response(200, json={"value": [{"properties": row} for row in shown]})

    def _run_job(self, asked: Row) -> httpx.Response:
        self.asked.append(asked)
        self._looks_since = 0
        if self.drop_before:
            self.drop_before = False
            raise httpx.ReadError("connection reset")
        outcome = "failed" if self.fails_operations else "good"
        if not self.fails_operations:
            self._act(asked)
        self.most_live = max(self.most_live, len(self.live()))
        if self.drop:
            self.drop = False
            raise httpx.ReadError("connection reset")
        where = f"{ENDPOINT}/subscriptions/s/locations/WESTUS3/operationStatuses/{outcome}?s=1"
        return httpx.Response(202, json=None, headers={"Location": where})

    def _act(self, asked: Row) -> None:
        action = asked["action"]
        if action == "NEW":
            row = {**asked, "runId": f"job-{len(self.asked)}"}
            self.rows.append(row)
            self._hidden[id(row)] = self.hides
            self._launch(row)
            return
        row = next(row for row in self.rows if row.get("runId") == asked.get("runId"))
        if action == "DELETE":
            self.rows.remove(row)
            return
        row |= {name: asked[name] for name in _KEPT if name in asked} | {"action": action}
        row["flinkConfiguration"] = {
            **row.get("flinkConfiguration", {}),
            **asked.get("flinkConfiguration", {}),
        }
        actions: dict[str, Callable[[Row], None]] = {
            **dict.fromkeys(_LAUNCHING, self._launch),
            "STOP": self._stop,
            "SAVEPOINT": self._save,
            "CANCEL": lambda row: row.update(status="CANCELED", actionResult="SUCCESS"),
            "LIST_SAVEPOINT": self._list_savepoints,
        }
        actions[action](row)

    def _launch(self, row: Row) -> None:
        if row["jarName"] in self.bad_jars:
            output = "org.apache.X: no\nCaused by: java.lang.IllegalStateException: bad release"
            row.update(status="JOB_LAUNCH_FAILED", actionResult="FAILED", jobOutput=output)
            return
        self._count += 1
        row.update(jobId=f"{self._count:032x}", status="RUNNING", actionResult="SUCCESS")
        row["jobOutput"] = "Flink internal job status : RUNNING"

    def _save(self, row: Row) -> None:
        if not self.saves:
            row.update(actionResult="FAILED", jobOutput="Caused by: java.io.IOException: full")
            return
        self._count += 1
        path = f"{SAVEPOINTS}/savepoint-{self._count}"
        row.update(lastSavePoint=path, actionResult="SUCCESS")
        row["jobOutput"] = f"Savepoint completed. Path: {path}"

    def _list_savepoints(self, row: Row) -> None:
        if self.saves:
            row.update(jobOutput=row.get("lastSavePoint", "none"), actionResult="SUCCESS")
        else:
            row.update(
                jobOutput="Caused by: java.io.IOException: no storage", actionResult="FAILED"
            )

    def _stop(self, row: Row) -> None:
        if row.get("status") not in ("RUNNING", "STOP-FAILED"):
            row.update(status="STOP-FAILED", actionResult="FAILED", jobOutput="not running")
            return
        self._save(row)
        row["status"] = "STOPPED" if self.saves else "STOP-FAILED"

    def backend(
        self,
        clock: Clock,
        send: Callable[[httpx.Request], httpx.Response] | None = None,
        flink: FlinkBackend | None = None,
    ) -> ArmBackend:
        """As a new process would make it."""
        arm, timeouts = self.client(clock, send), patience_by(clock)
        return ArmBackend(arm, CLUSTER, lambda jar: True, flink=flink, timeouts=timeouts)

    def client(
        self, clock: Clock, send: Callable[[httpx.Request], httpx.Response] | None = None
    ) -> ArmClient:
        """As a new process would make it."""
        token = SecretStr("token")
        return ArmClient(
            BearerToken(token),
            arm_endpoint=ENDPOINT,
            transport=httpx.MockTransport(send or self),
            verify=_NO_CERTIFICATES,
            pace=STEADY,
            clock=clock,
        )


def patience_by(clock: Clock) -> ArmTimeouts:
    """The list may lag for 60 seconds."""
    return ArmTimeouts(60, 60, 120, STEADY, clock)


def _no_certificates() -> Any:
    import ssl

    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # reading the machine's takes longer than a test


_NO_CERTIFICATES = _no_certificates()
