"""A page of another origin, and what it sends to every port of the local cloud and of Prefect."""

from __future__ import annotations

import http.server
import json
import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
REBOUND = "rebound.test"
"""A name whose owner lets it lead to 127.0.0.1."""

_PAGE = f"<!doctype html><body><script>{Path(__file__).with_suffix('.js').read_text()}</script>"
_FAKE_SIGNATURE = (
    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/{service}/aws4_request, "
    "SignedHeaders=host, Signature=" + "0" * 64
)
_LISTENS = "0A"

Shot = dict[str, Any]


class _Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(_PAGE.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""


@contextmanager
def hostile_server() -> Iterator[str]:
    """Serves the page; its address, at ``localhost`` as the closest that a stranger can come."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Pages) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://localhost:{server.server_port}/"
        server.shutdown()
        thread.join()


@contextmanager
def careless_browser() -> Iterator[Browser]:
    """Trusts every certificate, as a person does who has clicked the warning away."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=BROWSER,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--ignore-certificate-errors",
                # Not even the browser's own guards stand before the servers.
                "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests",
                f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1",
            ],
        )
        yield browser
        browser.close()


def shoot_from(browser: Browser, pages: dict[str, list[list[Shot]]]) -> dict[str, Any]:
    """What pages learned, by shot; all shoot at the same time.

    A page's address need not be its server's own: a name that is bound anew shows its owner's page
    first and leads to 127.0.0.1 afterwards, with the same port.

    Args:
        browser: Shows the pages.
        pages: Groups of shots by the address of the page that sends them.
    """
    context = browser.new_context(ignore_https_errors=True)
    shooting = []
    for page_url, groups in pages.items():
        page = context.new_page()
        page.route(page_url, lambda route: route.fulfill(body=_PAGE, content_type="text/html"))
        page.goto(page_url)
        page.unroute_all()
        page.evaluate("(groups) => { window.learned = shoot(groups); }", groups)
        shooting.append((page, groups))
    learned = {
        json.dumps(shot)[:200]: found
        for page, groups in shooting
        for shots, answers in zip(groups, page.evaluate("() => window.learned"), strict=True)
        for shot, found in zip(shots, answers, strict=True)
        if found is not None
    }
    context.close()
    return learned


def listening_ports(process_ids: set[int]) -> set[int]:
    """The TCP ports that processes listen on, whatever they are for."""
    sockets = set()
    for process_id in process_ids:
        for descriptor in Path(f"/proc/{process_id}/fd").glob("*"):
            try:
                found = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(descriptor))
            except OSError:
                continue
            if found:
                sockets.add(found[1])
    ports = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == _LISTENS and words[9] in sockets:
                ports.add(int(words[1].rsplit(":", 1)[1], 16))
    return ports


def requests_of_any_kind(base: str) -> list[Shot]:
    """What can be tried without knowing what listens there."""
    return [
        {"kind": "form", "url": f"{base}/", "enctype": "text/plain", "fields": {"a": "b"}},
        *({"kind": "load", "url": f"{base}/", "element": each} for each in ("img", "script")),
        *(
            {"kind": "request", "url": f"{base}/", "method": method, "mode": mode}
            for method, mode in (("GET", "cors"), ("POST", "no-cors"), ("DELETE", "cors"))
        ),
        {
            "kind": "socket",
            "url": re.sub("^http", "ws", base) + "/",
            "protocols": [],
            "messages": ["{}"],
        },
    ]


def aws_requests(base: str, bucket: str, script: str) -> list[Shot]:
    """A script by a form, a job that runs it, its start; buckets; keys for nothing.

    Args:
        base: The endpoint.
        bucket: One that is there: the list of them tells its name.
        script: What the job runs.
    """
    job = {
        "Name": "strangers-job",
        "Role": "arn:aws:iam::123456789012:role/r",
        "Command": {"Name": "pythonshell", "ScriptLocation": f"s3://{bucket}/script.py"},
    }
    in_query = "?X-Amz-Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/{}/aws4_request"

    def glue(operation: str, body: dict[str, Any]) -> Shot:
        headers = {
            "X-Amz-Target": f"AWSGlue.{operation}",
            "Content-Type": "application/x-amz-json-1.1",
            "Authorization": _FAKE_SIGNATURE.format(service="glue"),
        }
        return _cors(f"{base}/", "POST", json.dumps(body), headers)

    return [
        _cors(f"{base}/strangers-bucket", "PUT"),
        _cors(f"{base}/"),
        {
            "kind": "form",
            "url": f"{base}/{bucket}",
            "enctype": "multipart/form-data",
            "fields": {"key": "script.py", "file": script},
        },
        _cors(f"{base}/{bucket}/script.py", "PUT", script),
        glue("CreateJob", job),
        glue("StartJobRun", {"JobName": "strangers-job"}),
        glue("GetJobs", {}),
        *(
            {
                "kind": "form",
                "url": f"{base}/{in_query.format(service)}",
                "enctype": "application/x-www-form-urlencoded",
                "fields": {"Action": action, "Version": version, **more},
            }
            for service, action, version, more in (
                ("ec2", "CreateVpc", "2016-11-15", {"CidrBlock": "10.66.0.0/16"}),
                ("iam", "CreateUser", "2010-05-08", {"UserName": "stranger"}),
                ("sts", "GetSessionToken", "2011-06-15", {}),
            )
        ),
        _cors(
            f"{base}/?Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName=x"
            "&WebIdentityToken=x&RoleArn=arn:aws:iam::123456789012:role/r"
        ),
        _cors(f"{base}/moto-api/data.json"),
    ]


def control_requests(base: str) -> list[Shot]:
    """Faults, and all secrets of the status."""
    fault = json.dumps({"pattern": "stranger:*", "kind": "throttle", "message": "="})
    name, value = fault.split("=")
    return [
        _cors(f"{base}/status"),
        _cors(f"{base}/requests"),
        {"kind": "form", "url": f"{base}/faults", "enctype": "text/plain", "fields": {name: value}},
        *(
            {
                "kind": "request",
                "url": base + path,
                "method": "POST",
                "mode": "no-cors",
                "body": body,
            }
            for path, body in (
                ("/faults", fault),
                ("/fault/keyvault/rotate-secret", json.dumps({"name": "api-secret"})),
            )
        ),
    ]


def end_of_the_cloud(base: str) -> list[Shot]:
    """What leaves nothing to try afterwards."""
    return [{"kind": "request", "url": f"{base}/down", "method": "POST", "mode": "no-cors"}]


def flink_requests(base: str, job_ids: list[str]) -> list[Shot]:
    """A jar, the jobs, their end."""
    jar = {"field": "jarfile", "name": "stranger.jar", "content": "PK"}
    return [
        *(_cors(base + path) for path in ("/overview", "/jobs", "/jars", "/config", "/#/overview")),
        *(
            {
                "kind": "request",
                "url": f"{base}/jars/upload",
                "method": "POST",
                "mode": mode,
                "upload": jar,
            }
            for mode in ("no-cors", "cors")
        ),
        *(
            {"kind": "load", "url": f"{base}/jobs/{each}/yarn-cancel", "element": "img"}
            for each in job_ids
        ),
        *(_cors(f"{base}/jobs/{each}?mode=cancel", "PATCH") for each in job_ids),
    ]


def azure_requests(azure: dict[str, Any]) -> list[Shot]:
    """Secrets, clusters, containers; and what Entra ID tells anybody."""
    tenant, blob = azure["tenant_id"], azure["blob_url"]
    return [
        _cors(f"{azure['vault_url']}/secrets?api-version=7.4"),
        _cors(f"{azure['vault_url']}/secrets/stranger?api-version=7.4", "PUT", '{"value": "x"}'),
        _cors(
            f"{azure['arm_endpoint']}/subscriptions/{azure['subscription_id']}"
            "?api-version=2023-06-01-preview"
        ),
        _cors(f"{azure['authority']}/{tenant}/v2.0/.well-known/openid-configuration"),
        {
            "kind": "form",
            "url": f"{azure['authority']}/{tenant}/oauth2/v2.0/token",
            "enctype": "application/x-www-form-urlencoded",
            "fields": {
                "grant_type": "client_credentials",
                "client_id": azure["reader"]["client_id"],
                "client_secret": "guessed",
                "scope": "https://vault.azure.net/.default",
            },
        },
        _cors(f"{blob}/stranger?restype=container", "PUT", headers={"x-ms-version": "2021-08-06"}),
        _cors(f"{blob}?comp=list"),
        _cors(f"{blob}/{azure['container']}?restype=container&comp=list"),
    ]


def prefect_requests(base: str, deployment_id: str) -> list[Shot]:
    """A variable, a flow run whose code is the stranger's, an event, everything there is."""
    run = json.dumps({"name": "stranger", "state": {"type": "SCHEDULED"}})
    event = json.dumps(
        {
            "occurred": "2026-01-01T00:00:00Z",
            "event": "stranger.came",
            "resource": {"prefect.resource.id": "stranger"},
            "id": "11111111-2222-4333-8444-555555555555",
        }
    )
    posts = {
        "/variables/": json.dumps({"name": "stranger", "value": "x"}),
        f"/deployments/{deployment_id}/create_flow_run": run,
        "/flow_runs/filter": "{}",
        "/block_documents/filter": json.dumps({"include_secrets": True}),
    }
    sockets = base.replace("http", "ws", 1)
    return [
        _cors(f"{base}/admin/settings"),
        *(
            _cors(base + path, "POST", body, {"Content-Type": "application/json"})
            for path, body in posts.items()
        ),
        *(
            {
                "kind": "request",
                "url": base + path,
                "method": "POST",
                "mode": "no-cors",
                "body": body,
            }
            for path, body in posts.items()
        ),
        {"kind": "socket", "url": f"{sockets}/events/in", "protocols": [], "messages": [event]},
        {
            "kind": "socket",
            "url": f"{sockets}/events/in",
            "protocols": ["prefect"],
            "messages": [json.dumps({"type": "auth", "token": None}), event],
        },
    ]


def _cors(
    url: str, method: str = "GET", body: str | None = None, headers: dict[str, str] | None = None
) -> Shot:
    return {
        "kind": "request",
        "url": url,
        "method": method,
        "mode": "cors",
        "body": body,
        "headers": headers or {},
    }
