"""Job arguments by reference: the script gets the value, and Prefect never sees it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from prefect import State
from prefect.blocks.system import Secret
from prefect.client.orchestration import get_client
from prefect.flow_engine import run_flow
from prefect.states import Crashed, Running, Scheduled

from flinkglue.blocks.secret_arguments import read_secret_arguments
from flinkglue.errors import InvalidInput
from flows.glue_vpc_failover import glue_vpc_failover
from localcloud.aws.glue.settings import GlueSettings
from localcloud.web.request_log import RequestLog
from localcloud.web.wire import Wire
from tests.contract.aws.aws_cloud import QUICK, AwsCloud
from tests.harness.conftest import save_aws_block
from tests.harness.flow_logs import logs_of
from tests.harness.glue.test_glue_vpc_failover import artifacts, outcome
from tests.stored_results import searchable

SCRIPT = """
import hashlib, sys
given = sys.argv[sys.argv.index("--api-key") + 1]
print("the key is", given, flush=True)
print(sys.argv, file=sys.stderr, flush=True)
print("its hash is", hashlib.sha256(given.encode()).hexdigest(), flush=True)
"""


@pytest.fixture
def cloud(prefect_files: list[Path], tmp_path: Path) -> Iterator[AwsCloud]:
    wire = Wire(requests=RequestLog(tmp_path / "requests.jsonl"))
    running = AwsCloud(tmp_path, GlueSettings(**QUICK), wire=wire)
    running.two_connections()
    running.job(script=SCRIPT)
    save_aws_block(running)
    running.wire.requests.clear()
    yield running
    running.close()


@pytest.fixture
def api_key() -> str:
    """A value with what programs write in other ways, saved as the block `api-key`."""
    value = f"ké\\y'{secrets.token_urlsafe(12)}"
    Secret(value=value).save("api-key", overwrite=True)
    return value


def run(**parameters: Any) -> State[Any]:
    defaults = {
        "job_name": "job",
        "connection_names": "a,b",
        "strategy": "preferred",
        "retry_delay_seconds": 0,
        "arguments": {"--date": "2026-01-01"},
        "secret_arguments": {"--api-key": "api-key"},
    }
    return glue_vpc_failover(**{**defaults, **parameters}, return_state=True)


def hash_of(value: str) -> str:
    return f"its hash is {sha256(value.encode()).hexdigest()}"


def written(value: str) -> list[bytes]:
    """The value as it may stand in a file."""
    return [form.encode() for form in (value, json.dumps(value)[1:-1], repr(value)[1:-1])]


def test_the_script_gets_the_value_and_nobody_writes_it_down(
    cloud: AwsCloud,
    api_key: str,
    prefect_files: list[Path],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Not even when Glue and the script repeat it; AWS is asked for it in StartJobRun alone."""
    cloud.fault("fail-next-runs", job_name="job", error_message=f"Resource unavailable: {api_key}")
    state = run()
    result, page = outcome(state), artifacts(state)
    assert [a["evidence"] for a in result["attempts"]] == ["Resource unavailable: ***", None]
    assert hash_of(api_key) in page["glue-job-run-job"][0]
    log = logs_of(state.state_details.flow_run_id)
    assert "output: the key is ***" in log
    assert f"output: {hash_of(api_key)}" in log
    assert any(line.startswith("error: ['") and "***" in line for line in log)

    folders = [*prefect_files, tmp_path]
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    contents = {str(file): searchable(file.read_bytes()) for file in files}
    for found in (hash_of(api_key), "api-key"):
        assert any(found.encode() in content for content in contents.values()), "nothing is read"
    contents["requests"] = json.dumps([asdict(r) for r in cloud.requests()]).encode()
    contents["printed"] = "".join(capfd.readouterr()).encode()
    contents["result"] = json.dumps([result, page], default=str).encode()
    hidden = written(api_key)
    assert [at for at, content in contents.items() if any(h in content for h in hidden)] == []


def test_a_run_is_adopted_without_its_secret_and_still_shows_none(
    cloud: AwsCloud, api_key: str
) -> None:
    """After a crash the block may hold another value, or be gone; Glue tells what the run got."""
    parameters = {
        "job_name": "job",
        "connection_names": "a,b",
        "secret_arguments": {"--api-key": "api-key"},
    }
    with get_client(sync_client=True) as client:
        flow_run = client.create_flow_run(glue_vpc_failover, parameters=parameters)
        own = {"--flinkglue-run-key": f"{flow_run.id}/1", "--flinkglue-connection": "a"}
        cloud.finished(cloud.start(Arguments={**own, "--api-key": api_key}))
        for earlier in (Running(), Crashed(), Scheduled()):
            client.set_flow_run_state(flow_run.id, earlier, force=True)
        flow_run = client.read_flow_run(flow_run.id)
    Secret.delete("api-key")
    state: Any = run_flow(
        glue_vpc_failover, flow_run=flow_run, parameters=parameters, return_type="state"
    )
    assert outcome(state)["attempts"][0]["adopted"]
    [page] = artifacts(state)["glue-job-run-job"]
    assert "the key is ***" in page
    assert hash_of(api_key) in page
    log = "\n".join(logs_of(flow_run.id))
    assert "output: the key is ***" in log
    assert api_key not in log + page


def test_a_block_that_does_not_exist_is_refused_before_any_call(cloud: AwsCloud) -> None:
    with pytest.raises(InvalidInput, match=r"secret_arguments: 'absent' is not accepted.*saved"):
        run(secret_arguments={"--api-key": "absent"}).result()
    assert cloud.requests() == []


@pytest.mark.parametrize("value", ["", "abc", {"user": "anna"}])
def test_a_block_without_a_text_to_pass_on_is_refused_and_not_shown(
    prefect_files: list[Path], value: Any
) -> None:
    Secret(value=value).save("api-key", overwrite=True)
    with pytest.raises(InvalidInput, match=r"--api-key from api-key.*a text of at least 4") as told:
        read_secret_arguments({"--api-key": "api-key"})
    assert "anna" not in str(told.value)


def test_a_value_of_digits_stays_a_text_and_a_new_one_is_read_at_once(
    prefect_files: list[Path],
) -> None:
    """Prefect itself would hand out a number."""
    for value in ("0012345", "0067890"):
        Secret(value=value).save("api-key", overwrite=True)
        assert read_secret_arguments({"--api-key": "secret/api-key"}) == {"--api-key": value}
