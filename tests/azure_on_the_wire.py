"""Recorded answers of ARM, Entra ID, Key Vault and Flink, for tests that need no real job.

An instance is a handler for ``httpx.MockTransport``; ``served`` puts the same handler behind TLS.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

import httpx
import trustme

TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
JOB_ID = "8f1f2b3c4d5e6f708192a3b4c5d6e7f8"
OPERATION_ID = "6A2D-guid*0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF"
SIGNATURE = "t=638412&c=MIIH%2bzCC%2F~x&s=a%2Bb/c=="

FAILED_ACTION = {"actionResult": "FAILED", "jobOutput": "java.io.IOException: disk is full"}

Answer = httpx.Response | Exception


class Clock:
    """Time that passes only in sleep."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class AzureOnTheWire:
    """One cluster with its jobs.

    Args:
        endpoint: The address that ARM gives in its Location headers.
    """

    def __init__(self, endpoint: str = "https://management.azure.com") -> None:
        self.endpoint = endpoint
        self.requests: list[httpx.Request] = []
        self.rows: list[dict[str, Any]] = []
        self.faults: list[tuple[str, str, Answer | None]] = []
        self.polls = ["Accepted", "Succeeded"]
        self.operation_error: dict[str, str] | None = None
        self.lists_after = 0  # how many looks at the list do not show a new job yet
        self.job_status: str | None = "RUNNING"
        self.flink_job: dict[str, Any] | None = None
        self.accumulators: dict[str, str] = {}
        self.tokens = ["token-1"]  # the last one is the one that is accepted
        self.secrets = {
            "hdinsight-aks-variables-api-client-id": "contributor",
            "hdinsight-aks-variables-api-secret": "secret-of-the-contributor",
            "hdinsight-aks-variables-tenant-id": TENANT,
        }
        self.passwords = {
            "reader": "secret-of-the-reader",
            "contributor": "secret-of-the-contributor",
        }
        self.action_result = "SUCCESS"  # how actions on listed jobs end
        self._ends: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self._hidden: list[tuple[int, dict[str, Any]]] = []
        self._polled = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        sent = httpx.Request(  # as it is now: it may be sent again with another token
            request.method, request.url, headers=request.headers, content=request.content
        )
        self.requests.append(sent)
        path = unquote(request.url.path)
        for fault in self.faults:
            method, part, answer = fault
            if request.method == method and part.lower() in path.lower():
                self.faults.remove(fault)
                if answer is None:  # processed, but the answer is lost
                    self._route(request, path)
                    raise httpx.ReadTimeout("timed out", request=request)
                if isinstance(answer, Exception):
                    raise answer
                return answer
        return self._route(request, path)

    def fail(self, method: str, part: str, answer: Answer | None, times: int = 1) -> None:
        """The next calls to a path with that part fail; None: after they were processed."""
        self.faults += [(method, part, answer)] * times

    def sent(self, method: str, part: str) -> list[httpx.Request]:
        """The calls to paths with that part."""
        return [
            request
            for request in self.requests
            if request.method == method and part.lower() in request.url.path.lower()
        ]

    def row(self, name: str, **properties: Any) -> dict[str, Any]:
        """A row as recorded, with changes; None leaves a property out."""
        full = {
            "jobType": "FlinkJob",
            "runId": "job-c5d-4b48",
            "jobName": name,
            "action": "NEW",
            "jobId": JOB_ID,
            "status": "RUNNING",
            "jobOutput": "Flink internal job status : RUNNING",
            "actionResult": "SUCCESS",
        } | properties
        return {"id": "C/jobs/x", "properties": {k: v for k, v in full.items() if v is not None}}

    def _route(self, request: httpx.Request, path: str) -> httpx.Response:
        if path.endswith("/.well-known/openid-configuration"):
            return self._discovery(path)
        if path.endswith("/oauth2/v2.0/token"):
            return self._token(request)
        if path.startswith("/secrets/"):
            return self._secret(request, path)
        if path.startswith("/jobs/"):
            return self._flink(path)
        if request.headers.get("Authorization") != f"Bearer {self.tokens[-1]}":
            return error(401, "InvalidAuthenticationToken", "The access token is invalid.")
        if path.lower().endswith("/runjob"):
            return self._run_job(request)
        if path.endswith("/jobs"):
            return self._list(request)
        if "/operationStatuses/" in path:
            return self._operation()
        if "/clusters/" in path:
            web = {"web": {"fqdn": "flink1.pool1.westus2.hdinsightaks.net"}}
            return httpx.Response(200, json={"properties": {"connectivityProfile": web}})
        return error(404, "ResourceNotFound", f"{path} was not found.")

    def _run_job(self, request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)["properties"]
        if asked["action"] == "NEW":
            row = self.row(asked["jobName"], status=self.job_status, jarName=asked["jarName"])
            self._hidden.append((self.lists_after, row))
        else:
            self._act(asked)
        where = (
            f"{self.endpoint}/subscriptions/s/providers/Microsoft.HDInsight/locations/WESTUS2"
            f"/operationStatuses/{OPERATION_ID}?api-version=2024-05-01-preview&{SIGNATURE}"
        )
        headers = {"Location": where, "Azure-AsyncOperation": where}
        return httpx.Response(202, content=b"null", headers=headers)

    def _act(self, asked: dict[str, Any]) -> None:
        """The row shows the action in progress at the next look, and its end at the one after."""
        (row,) = (r for r in self.rows if r["properties"]["jobName"] == asked["jobName"])
        path = f"abfs://c@a.dfs.core.windows.net/savepoints/{asked['jobName']}"
        ends = {
            "CANCEL": {"status": "CANCELED"},
            "STOP": {"status": "STOPPED", "lastSavePoint": path},
        }
        row["properties"] |= {"action": asked["action"], "actionResult": "IN_PROGRESS"}
        self._ends.append((row, ends[asked["action"]] | {"actionResult": self.action_result}))

    def _list(self, request: httpx.Request) -> httpx.Response:
        self.rows += [row for looks, row in self._hidden if looks <= 0]
        self._hidden = [(looks - 1, row) for looks, row in self._hidden if looks > 0]
        only = request.url.params.get("$filter", "").removeprefix("jobName eq ")
        rows = [
            r
            for r in self.rows
            if not only or (r.get("properties") or {}).get("jobName") in (only, None)
        ]
        answer = httpx.Response(200, json={"value": rows})
        for row, end in self._ends:
            row["properties"] |= end if end["actionResult"] == "SUCCESS" else FAILED_ACTION
        self._ends.clear()
        return answer

    def _operation(self) -> httpx.Response:
        status = self.polls[min(self._polled, len(self.polls) - 1)]
        self._polled += 1
        body: dict[str, Any] = {"id": "x", "name": OPERATION_ID, "status": status}
        if status == "Succeeded":
            body["properties"] = {"jobStatus": "SUBMITTED"}
        if status == "Failed":
            body["error"] = self.operation_error
        return httpx.Response(200, json=body)

    def _discovery(self, path: str) -> httpx.Response:
        base = f"{self.endpoint}{path.removesuffix('/v2.0/.well-known/openid-configuration')}"
        body = {
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
        }
        return httpx.Response(200, json=body)

    def _token(self, request: httpx.Request) -> httpx.Response:
        asked = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        if self.passwords.get(asked["client_id"]) != asked["client_secret"]:
            text = "AADSTS7000215: Invalid client secret provided."
            return httpx.Response(401, json={"error": "invalid_client", "error_description": text})
        token = "vault-token" if "vault" in asked["scope"] else self.tokens[-1]
        return httpx.Response(
            200, json={"access_token": token, "expires_in": 3599, "token_type": "Bearer"}
        )

    def _secret(self, request: httpx.Request, path: str) -> httpx.Response:
        if request.headers.get("Authorization") != "Bearer vault-token":
            challenge = (
                f'Bearer authorization="{self.endpoint}/{TENANT}", '
                'resource="https://vault.azure.net"'
            )
            return httpx.Response(401, headers={"WWW-Authenticate": challenge}, json={})
        name = path.removeprefix("/secrets/").strip("/")
        if name not in self.secrets:
            text = f"A secret with (name/id) {name} was not found in this key vault."
            return error(404, "SecretNotFound", text)
        return httpx.Response(
            200,
            json={
                "value": self.secrets[name],
                "id": f"{self.endpoint}/secrets/{name}/1",
                "attributes": {"enabled": True},
            },
        )

    def _flink(self, path: str) -> httpx.Response:
        if path.endswith("/accumulators"):
            found = [
                {"name": name, "type": "TopWords", "value": value}
                for name, value in self.accumulators.items()
            ]
            return httpx.Response(200, json={"user-task-accumulators": found})
        if path.endswith("/exceptions"):
            stack = "java.lang.Exception: job\nCaused by: java.io.IOException: disk is full"
            entries = [{"stacktrace": stack, "timestamp": 1}]
            return httpx.Response(200, json={"exceptionHistory": {"entries": entries}})
        if self.flink_job is None:
            unknown = f"org.apache.flink.runtime.rest.NotFoundException: Job {JOB_ID} not found"
            return httpx.Response(404, json={"errors": [unknown]})
        return httpx.Response(200, json=self.flink_job)


def flink_job(state: str, **tasks: int) -> dict[str, Any]:
    """A job as ``/jobs/{id}`` answers it, with one vertex."""
    vertex = {"id": "v1", "name": "Source", "parallelism": 2, "status": state, "tasks": tasks}
    return {
        "jid": JOB_ID,
        "name": "WordCount",
        "state": state,
        "start-time": 1000,
        "end-time": -1,
        "duration": 4200,
        "vertices": [vertex],
    }


def error(status: int, code: str, message: str) -> httpx.Response:
    """An error in ARM's and Key Vault's form."""
    return httpx.Response(
        status,
        json={"error": {"code": code, "message": message}},
        headers={"x-ms-request-id": "9f1e-request"},
    )


Handler = Callable[[httpx.Request], httpx.Response]


@contextmanager
def served(azure: AzureOnTheWire, directory: Path) -> Iterator[Path]:
    """Serve it over TLS on a free port; yields the CA file and sets the endpoint."""
    authority = trustme.CA()
    ca_file = directory / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(trusted)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(azure))
    server.socket = trusted.wrap_socket(server.socket, server_side=True)
    azure.endpoint = f"https://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield ca_file
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(azure: AzureOnTheWire) -> type[BaseHTTPRequestHandler]:
    class Wire(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            request = httpx.Request(
                self.command,
                f"{azure.endpoint}{self.path}",
                headers=dict(self.headers),
                content=self.rfile.read(length),
            )
            try:
                answer = azure(request)
            except httpx.TransportError:
                self.close_connection = True  # no answer, the connection ends
                return
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name.lower() not in ("content-length", "transfer-encoding"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = do_DELETE = answer

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet: the requests are kept."""

    return Wire
