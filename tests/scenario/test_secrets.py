"""Secrets stay out of everything that Prefect and the local cloud write down or start."""

from __future__ import annotations

import json
import os
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.process_trees import processes_of
from tests.scenario.conftest import Platform
from tests.scenario.test_deployments import GLUE_JOB, PUBLISHED_GLUE, WORD_COUNT
from tests.stored_results import searchable

# Every bearer token of Entra ID is a JSON web token, and every one of those begins so.
BEARER_TOKEN = b"eyJ0eXAiOi", b"eyJhbGciOi"
ACTION = "flink-job-action/flink-job-action"
# Blocks as the UI saves them: it knows no more than the form.
FILL_IN = """
import json, sys
from prefect.blocks.system import Secret
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import BlockDocumentCreate
from flinkglue.blocks.flink import FlinkRestCluster

blocks = json.load(open(sys.argv[1]))
Secret(value=blocks.pop("secret")).save("canary-argument", overwrite=True)
FlinkRestCluster.register_type_and_schema()
with get_client(sync_client=True) as client:
    for name, data in blocks.items():
        client.create_block_document(BlockDocumentCreate(
            name=name, data=data,
            block_type_id=FlinkRestCluster._block_type_id,
            block_schema_id=FlinkRestCluster._block_schema_id,
        ))
"""


def test_no_secret_and_no_token_is_written_down(platform: Platform, tmp_path: Path) -> None:
    """After good runs and failed ones: database with events, states, logs, artifacts and results,
    what the local cloud keeps, and the command lines of what was started meanwhile.
    """
    azure, aws = platform.cloud.azure, platform.cloud.aws
    canary = f"canary{secrets.token_hex(12)}"
    contributor_secret = f"rotated-{secrets.token_urlsafe(24)}"
    hidden = [
        *BEARER_TOKEN,
        canary.encode(),
        contributor_secret.encode(),
        azure["reader"]["client_secret"].encode(),
        aws["secret_access_key"].encode(),
        account_key(azure["storage_connection_string"]),
    ]
    fill_in(platform, tmp_path / "blocks.json", canary)
    platform.cloud.rotate_secret(f"{azure['secret_prefix']}api-secret", value=contributor_secret)
    with command_lines() as seen:
        begun = [
            (WORD_COUNT, platform.published_parameters),
            (WORD_COUNT, platform.published_parameters | {"jarName": "absent.jar"}),
            (GLUE_JOB, PUBLISHED_GLUE),
            *((ACTION, cancel_at(block)) for block in ("bearer", "spoilt")),
        ]
        ids = [platform.prefect.run_deployment(*each) for each in begun]
        runs = [platform.prefect.wait_for(flow_run_id) for flow_run_id in ids]
    ended = [run["state_type"] for run in runs]
    assert ended == ["COMPLETED", "FAILED", "COMPLETED", "FAILED", "FAILED"]
    said = [run["state"]["message"] for run in runs[3:]]
    assert "ServiceUnavailable" in said[0]
    assert "token: Value error" in said[1]

    assert found_in(platform.prefect.home, [runs[0]["id"].encode()]), "the search finds nothing"
    assert found_in(platform.prefect.home, hidden) == []
    assert open_to_others(found_in(platform.cloud.state.path, hidden)) == []
    assert found_in(platform.cloud.state.path / "requests.jsonl", hidden) == []
    assert any(b"prefect" in line for line in seen), "no command line was seen"
    assert [line for line in seen for text in hidden if text in line] == []


def test_a_secret_argument_of_a_glue_job_is_not_kept_by_prefect(
    platform: Platform, tmp_path: Path
) -> None:
    """Whether the run succeeds or fails; Glue itself shows it to who may read the job's runs."""
    canary = f"canary{secrets.token_hex(12)}"
    fill_in(platform, tmp_path / "blocks.json", canary, names=())
    arguments = {"secret_arguments": {"--api-key": "canary-argument"}, "retries": 0}
    platform.cloud.fault(
        "aws", "fail-next-runs", job_name="AirflowBlogJob", times=1, error_message=f"bad {canary}"
    )
    runs = [platform.run(GLUE_JOB, PUBLISHED_GLUE | arguments) for _ in range(2)]
    assert [run["state_type"] for run in runs] == ["FAILED", "COMPLETED"]
    assert "bad ***" in "\n".join(platform.prefect.whole_log(runs[0]["id"]))
    assert found_in(platform.prefect.home, [canary.encode()]) == []


def cancel_at(block: str) -> dict[str, str]:
    return {"action": "CANCEL", "job_name": "orders", "cluster": f"flink-rest-cluster/{block}"}


def fill_in(
    platform: Platform,
    file: Path,
    canary: str,
    names: Sequence[str] = ("bearer", "spoilt"),
) -> None:
    """A Secret block, and clusters that nobody answers for, with the canary in every secret."""
    nobody = {"url": "http://127.0.0.1:9", "outage_seconds": 0}
    clusters = {
        "bearer": {"sign_in": "bearer", "token": f"{canary}\n", "password": canary},
        "spoilt": {"sign_in": "bearer", "token": f"{canary}\n{canary}"},
    }
    data = {name: nobody | clusters[name] for name in names}
    file.write_text(json.dumps({"secret": canary, **data}))
    platform.prefect.run_python("-c", FILL_IN, str(file))


def account_key(connection_string: str) -> bytes:
    fields = dict(field.split("=", 1) for field in connection_string.split(";") if field)
    return fields["AccountKey"].encode()


def found_in(where: Path, wanted: list[bytes]) -> list[str]:
    """The files that hold one of the texts, with the text; also inside stored results."""
    files = [where] if where.is_file() else [path for path in where.rglob("*") if path.is_file()]
    return [
        f"{path}: {text.decode()}"
        for path in files
        for text in wanted
        if text in searchable(path.read_bytes())
    ]


def open_to_others(found: list[str]) -> list[str]:
    """Those of the files that others than their owner may read, or that are logs.

    The local cloud keeps what it makes up, its secrets too, in its state directory.
    """
    files = {line: Path(line.rpartition(": ")[0]) for line in found}
    return [
        line
        for line, path in files.items()
        if path.suffix in (".log", ".jsonl") or path.stat().st_mode & 0o077
    ]


@contextmanager
def command_lines() -> Iterator[set[bytes]]:
    """The command lines of what this process and its children start, as often as they can be read.

    Other programs of this machine are none of its business.
    """
    seen: set[bytes] = set()
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.2):
            for process_id in processes_of(os.getpid()):
                with suppress(OSError):  # it has ended
                    seen.add(Path(f"/proc/{process_id}/cmdline").read_bytes())

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield seen
    finally:
        ended.set()
        looking.join()
