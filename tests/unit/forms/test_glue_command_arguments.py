"""python -m infra.glue_run refuses bad input by its name, before anything is called."""

from __future__ import annotations

import json
import time

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flinkglue.glue.inputs import parse_connection_names
from flows.glue_vpc_failover import glue_vpc_failover
from infra.glue_run import main


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    try:
        code = main(words)
    except SystemExit as ended:
        code = int(ended.code or 0)
    return code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["rank", ""], "JOB"),
        (["rank", "job", "--strategy", "fastest", "--without-prefect"], "strategy"),
        (["rank", "job", "--seed", "one"], "--seed"),
        (["run", "job", "--dry-run", "--arg", "date=1"], "--date"),
        (["run", "job", "--dry-run", "--arg=--JOB_NAME=x"], "JOB_NAME"),
        (["run", "job", "--retries", "-1"], "--retries"),
        (["stop", "job"], "RUN_ID"),
        (["health", "--without-prefect"], "--job"),
        (["health", "--minimum-free-addresses", "few"], "--minimum-free-addresses"),
        (["launch", "job"], "rank"),
        (["run", "job", "--deployment", "glue-job"], "FLOW/NAME"),
        (["run", "job", "--dry-run", "--arg=--x=1", "--arg=--x=2"], "arg: '--x'"),
        (["rank", "job", "--connection", "a,b", "--without-prefect"], "no comma"),
        (["rank", "job", "--strategy", "preferred", "--without-prefect"], "connection_names"),
        (["health", "--connection", " ", "--without-prefect"], "no blank names"),
    ],
)
def test_what_is_wrong_is_named(
    words: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, err = told(capsys, *words)
    assert code == 2
    assert named in err


def test_a_dry_run_shows_the_parameters_of_the_flow_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["run", "orders", "--connection", "a", "--connection", "b", "--strategy", "capacity"]
    assert main([*words, "--arg=--date=2026-11-29", "--intent", "build-1", "--dry-run"]) == 0
    shown = json.loads(capsys.readouterr().out)
    glue_vpc_failover.validate_parameters(shown["parameters"])
    assert shown == {
        "intent": "build-1",
        "deployment": "glue-job/glue-job",
        "parameters": {
            "job_name": "orders",
            "connection_names": ["a", "b"],
            "strategy": "capacity",
            "arguments": {"--date": "2026-11-29"},
        },
    }


def test_a_dry_run_puts_no_password_into_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--arg=--password=canary7f3a", "--arg=--topic=orders"]
    assert main(["run", "orders", *given, "--dry-run"]) == 0
    shown = json.loads(capsys.readouterr().out)["parameters"]["arguments"]
    assert shown == {"--password": "******", "--topic": "orders"}


def test_ten_thousand_connections_are_checked_in_an_instant() -> None:
    names = [f"connection-{number:05}" for number in range(10_000)]
    began_at = time.process_time()
    assert parse_connection_names(names) == names
    assert time.process_time() - began_at < 0.5


@pytest.mark.parametrize("words", [["run", "orders"], ["rank", "orders"], ["health", "--job", "a"]])
def test_without_a_server_it_says_so_in_a_sentence(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        code, err = told(capsys, *words)
    assert code == 2
    assert "PREFECT_API_URL is not set" in err.splitlines()[0]


@pytest.mark.parametrize("command", ["rank", "run", "stop", "health"])
def test_help_says_what_each_command_is_for(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    general = capsys.readouterr().out
    assert f"python -m infra.glue_run {command}" in general
    assert "exit codes:" in general
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert "usage: python -m infra.glue_run" in capsys.readouterr().out
