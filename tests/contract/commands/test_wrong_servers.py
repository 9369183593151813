"""Each command against what is no Prefect server, or does not take the sign-in: official client."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_URL,
    PREFECT_CLIENT_MAX_RETRIES,
    temporary_settings,
)

from infra.blocks import main as blocks
from infra.flink_action import main as flink_action
from infra.glue_deploy import main as glue_deploy
from infra.glue_run import main as glue_run
from infra.setup.__main__ import main as setup
from tests.contract.aws.aws_cloud import AwsCloud

CANARY = "canary7f3a"
BLOCK = ["--cluster-block", "flink-rest-cluster/flink"]
COMMANDS: dict[str, Callable[[], int]] = {
    "flink_action": lambda: flink_action(["SAVEPOINT", "orders", *BLOCK]),
    "flink_action --deployment": lambda: flink_action(["STOP", "orders", *BLOCK, "--deployment"]),
    "glue_run run": lambda: glue_run(["run", "orders"]),
    "glue_run health": lambda: glue_run(["health", "--job", "orders"]),
    "setup up": lambda: setup(["up", "--json"]),
    "setup down": lambda: setup(["down", "--json"]),
    "blocks register": lambda: blocks(["register"]),
    "blocks check": lambda: blocks(["check", "aws-credentials/aws"]),
}


class Answers(BaseHTTPRequestHandler):
    """Everything gets the same answer."""

    status, content_type, body = 200, "text/html", b"<!DOCTYPE html><html>Prefect</html>"

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(self.status)
        self.send_header("Content-Type", self.content_type)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    do_GET = do_POST = do_PATCH = do_DELETE = _answer

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


class SignIn(Answers):
    """As a Prefect server with a password."""

    status, content_type = 401, "application/json"
    body = json.dumps({"exception_message": "Unauthorized"}).encode()


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[None]:
    with ThreadingHTTPServer(("127.0.0.1", 0), request.param) as served:
        threading.Thread(target=served.serve_forever, args=(0.01,)).start()
        settings = {
            PREFECT_API_URL: f"http://127.0.0.1:{served.server_port}/api",
            PREFECT_API_AUTH_STRING: f"admin:{CANARY}",
            PREFECT_CLIENT_MAX_RETRIES: 0,
        }
        with temporary_settings(settings):
            yield
        served.shutdown()


def test_a_cluster_that_is_away_is_said_before_it_is_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An address with a mistake in it is waited for as a JobManager that is being restarted."""
    where = ["--url", "http://127.0.0.1:1", "--journal", str(tmp_path)]
    assert flink_action(["LIST_SAVEPOINT", "orders", *where, "--deadline-minutes", "0.005"]) == 5
    lines = [line for line in capsys.readouterr().err.splitlines() if "Connection refused" in line]
    assert len(lines) == 1
    assert lines[0].startswith("Retrying for up to 2 min: Flink GetJobManagerConfig failed")


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsCloud]:
    running = AwsCloud(tmp_path_factory.mktemp("aws"))
    running.two_connections()
    running.job()
    yield running
    running.close()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("server", "code"), [(Answers, 5), (SignIn, 6)], indirect=["server"])
def test_it_is_said_in_a_sentence_and_standard_output_stays_empty(
    server: None, code: int, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert COMMANDS[command]() == code
    out, err = capsys.readouterr()
    assert out == ""
    assert "Prefect" in err.splitlines()[-1]
    assert "Traceback" not in err
    assert CANARY not in err


@pytest.mark.parametrize("server", [SignIn], indirect=True)
def test_a_cluster_that_refuses_the_sign_in_has_listed_no_savepoints(
    server: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--url", PREFECT_API_URL.value(), "--journal", str(tmp_path)]
    assert flink_action(["LIST_SAVEPOINT", "orders", *where]) == 6
    out, err = capsys.readouterr()
    assert (out, "HTTP 401" in err) == ("", True)


@pytest.mark.parametrize("command", ["rank", "apply"])
@pytest.mark.parametrize("server", [Answers], indirect=True)
def test_what_needs_the_lock_or_the_reservations_does_not_go_on_without(
    server: None,
    command: str,
    aws: AwsCloud,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """AWS answers before Prefect is called."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", aws.account["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", aws.account["secret_access_key"])
    where = ["--region", aws.account["region"], "--endpoint-url", aws.account["endpoint_url"]]
    if command == "rank":
        code = glue_run(["rank", "job", *where])
    else:
        definition = tmp_path / "job.json"
        definition.write_text('{"Name": "job", "MaxRetries": 3}')
        code = glue_deploy(["apply", str(definition), *where])
    out, err = capsys.readouterr()
    assert (code, out) == (5, "")
    assert "ends in /api" in err
    assert aws.glue.get_job(JobName="job")["Job"].get("MaxRetries", 0) == 0
