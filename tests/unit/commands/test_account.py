"""The AWS account of a command: what is missing is said before anything is called."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flinkglue.errors import AuthenticationFailed, NotFound
from infra.glue.account import in_words
from infra.glue_deploy import main as glue_deploy
from infra.glue_run import main as glue_run


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One without a role, with one profile that has neither region nor keys."""
    config = tmp_path / "config"
    config.write_text("[profile reports]\noutput = json\n")
    for name in ("REGION", "DEFAULT_REGION", "PROFILE", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--profile", "report"], "profile: 'report' is not accepted.*: reports$"),
        ([], "region: .*AWS_DEFAULT_REGION"),
        (["--region", "eu-west-1"], "credentials: .*AWS_ACCESS_KEY_ID"),
        (["--profile", "reports", "--region", "eu-west-1"], "credentials: .*--profile"),
    ],
)
@pytest.mark.parametrize("command", ["stop", "rank", "export"])
def test_what_is_missing_is_named(
    options: list[str], said: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if command == "export":
        code = glue_deploy(["export", "orders", *options])
    else:
        more = ["jr_1"] if command == "stop" else ["--without-prefect"]
        code = glue_run([command, "orders", *more, *options])
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert re.search(said, err.strip())


@pytest.mark.parametrize("kind", [AuthenticationFailed, NotFound])
def test_a_command_is_not_sent_to_a_block(kind: type[AuthenticationFailed]) -> None:
    error = kind("AWS Glue", "GetJob", "orders", "no", advice="correct the AWS Credentials block")
    assert "--profile" in in_words(error)
    assert "block" not in in_words(error)


def test_what_prefect_refuses_keeps_its_advice() -> None:
    error = AuthenticationFailed("Prefect", "call", "it", "no", advice="set PREFECT_API_KEY")
    assert "set PREFECT_API_KEY" in in_words(error)
