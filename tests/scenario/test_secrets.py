"""Secrets and tokens stay out of everything that Prefect and the local cloud write down."""

from __future__ import annotations

import secrets
from pathlib import Path

from tests.scenario.conftest import Platform
from tests.scenario.test_deployments import GLUE_JOB, PUBLISHED_GLUE, WORD_COUNT
from tests.stored_results import searchable

# Every bearer token of Entra ID is a JSON web token, and every one of those begins so.
BEARER_TOKEN = b"eyJ0eXAiOi", b"eyJhbGciOi"


def test_no_secret_and_no_token_is_written_down(platform: Platform) -> None:
    """Database, results, logs and artifacts are searched after good runs and a failed one."""
    azure, aws = platform.cloud.azure, platform.cloud.aws
    contributor_secret = f"rotated-{secrets.token_urlsafe(24)}"
    platform.cloud.rotate_secret(f"{azure['secret_prefix']}api-secret", value=contributor_secret)
    runs = [
        platform.run(WORD_COUNT, platform.published_parameters),
        platform.run(WORD_COUNT, platform.published_parameters | {"jarName": "absent.jar"}),
        platform.run(GLUE_JOB, PUBLISHED_GLUE),
    ]
    assert [run["state_type"] for run in runs] == ["COMPLETED", "FAILED", "COMPLETED"]

    hidden = [
        *BEARER_TOKEN,
        contributor_secret.encode(),
        azure["reader"]["client_secret"].encode(),
        aws["secret_access_key"].encode(),
        account_key(azure["storage_connection_string"]),
    ]

    assert found_in(platform.prefect.home, [runs[0]["id"].encode()]), "the search finds nothing"
    assert found_in(platform.prefect.home, hidden) == []
    assert found_in(platform.cloud.state.path / "requests.jsonl", hidden) == []


def account_key(connection_string: str) -> bytes:
    fields = dict(field.split("=", 1) for field in connection_string.split(";") if field)
    return fields["AccountKey"].encode()


def found_in(where: Path, wanted: list[bytes]) -> list[str]:
    """The files that hold one of the texts, with the text; also inside stored results."""
    files = [where] if where.is_file() else [path for path in where.rglob("*") if path.is_file()]
    return [
        f"{path.name}: {text.decode()}"
        for path in files
        for text in wanted
        if text in searchable(path.read_bytes())
    ]
