"""The command line of one action: what it takes, and what it refuses before anything is called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.flink.arguments import parser
from infra.flink_action import cluster_at_url, main

AT_URL = ["SAVEPOINT", "orders", "--url", "https://flink.example.com", "--dry-run"]
WITH_BLOCK = ["SAVEPOINT", "orders", "--cluster-block", "flink-rest-cluster/flink", "--dry-run"]
CANARY = "canary7f3a"


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What is said; the exit code is 2."""
    try:
        code = main(list(arguments))
    except SystemExit as ended:
        code = int(ended.code or 0)
    assert code == 2
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--savepoint-directory", "s3://backups/x"),
        ("--journal", "/var/journal"),
        ("--ca-file", "/etc/ca.pem"),
        ("--token-env", "HOME"),
        ("--user", "flows"),
        ("--password-env", "HOME"),
        ("--main-seconds", "60"),
    ],
)
def test_what_a_saved_block_has_by_itself_is_not_left_out_silently(
    capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    """A backup would go elsewhere."""
    said = refused(capsys, *WITH_BLOCK, option, value)
    assert option.strip("-").replace("-", "_") in said
    assert "only with --url" in said
    assert "state_is_local" in refused(capsys, *WITH_BLOCK, "--state-is-local")
    assert "no_plan" in refused(capsys, *WITH_BLOCK, "--no-plan")


def test_how_main_is_run_is_part_of_the_cluster_at_a_url() -> None:
    """As fields of the block are."""
    given = parser("").parse_args([*AT_URL, "--main-seconds", "90", "--no-plan"])
    cluster = cluster_at_url(given)
    assert (cluster.main_seconds, cluster.check_plan) == (90, False)
    cluster = cluster_at_url(parser("").parse_args(AT_URL))
    assert (cluster.main_seconds, cluster.check_plan) == (600, True)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--url", "nonsense"], "--url"),
        (["--url", f"https://u:{CANARY}@h"], "without user and password"),
        (["--url", "https://h:abc"], "the port is a number"),
        (["--token-env", f"NOT_SET_{CANARY}"], "token_env: the value (not shown"),
        (["--user", "flows"], "password_env"),
        (["--user", "flows", "--token-env", "HOME"], "user: 'flows'"),
        (["--ca-file", "/no/such/file.pem"], "ca_file"),
        (["--ca-file", "a\x1bb"], "--ca-file"),
        (["--main-seconds", "0"], "--main-seconds"),
        (["--stable-seconds", "nan"], "--stable-seconds: Input should be a finite number"),
        (["--deadline-minutes", "1e300"], "--deadline-minutes"),
        (["--deadline-minutes=--"], "--deadline-minutes: needs a value"),
        (["--savepoint-directory", "savepoints"], "--savepoint-directory"),
        (["--savepoint", ""], "--savepoint"),
        (["--job-id", "x"], "--job-id"),
        (["--intent", "a\nb"], "--intent"),
        (["--savepoint-format", "parquet"], "Allowed: automatic, canonical, native"),
        (["--deployment", "flink-job-action"], "FLOW/NAME"),
    ],
)
def test_a_dry_run_checks_all_that_can_be_checked_without_a_call(
    capsys: pytest.CaptureFixture[str], given: list[str], said: str
) -> None:
    """With the option's name; a secret is never repeated, nor what a terminal would act on."""
    told = refused(capsys, *AT_URL, *given)
    assert said in told
    assert CANARY not in told
    assert told.isprintable()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--no-args", "--arg=x"], "no_args: True is not accepted. Allowed: either"),
        (["--conf", "a=b", "--conf", "c=d", "--conf", "a=b"], "conf: 'a' is not accepted"),
    ],
)
def test_what_contradicts_itself_is_refused(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One of the two would be left out silently."""
    new = ["NEW", "orders", "--url", "https://h", "--jar", "a.jar", "--dry-run"]
    assert said in refused(capsys, *new, *words)


def test_a_variable_without_a_value_is_no_secret(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "")
    assert refused(capsys, *AT_URL, "--token-env", "TOKEN").startswith("token: it is empty")


def test_an_action_that_there_is_not_is_refused_with_those_that_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "NEW, START, STOP, UPDATE" in refused(capsys, "PAUSE", *AT_URL[1:])
    assert main(["list_savepoint", *AT_URL[1:]]) == 0, "as people type it"


def test_a_token_with_a_line_end_is_taken_and_one_that_no_header_takes_is_not_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ``$(cat token)`` and ``< token`` give them."""
    monkeypatch.setenv("TOKEN", f"{CANARY}\n")
    assert main([*AT_URL, "--token-env", "TOKEN"]) == 0
    monkeypatch.setenv("TOKEN", f"{CANARY}\nsecond line")
    assert CANARY not in refused(capsys, *AT_URL, "--token-env", "TOKEN")


def test_two_dashes_are_an_argument_of_the_job(capsys: pytest.CaptureFixture[str]) -> None:
    """``main()`` may want them."""
    new = ["NEW", "orders", "--url", "https://h", "--jar", "a.jar", "--dry-run"]
    assert main([*new, "--arg=--", "--arg=--topic"]) == 0
    assert json.loads(capsys.readouterr().out)["changes"]["args"] == ["--", "--topic"]


def test_a_block_of_no_known_kind_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Whether there is such a block only the server knows."""
    block = ["SAVEPOINT", "orders", "--dry-run", "--cluster-block"]
    assert "flink-rest-cluster/name" in refused(capsys, *block, "secret/flink")
    assert main([*block, "hdinsight-flink-cluster/flink"]) == 0


def test_the_blocks_of_a_local_cloud_are_read_before_anything_is_called(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """There is no server here, so a call would fail in another way."""
    from infra.blocks import main as blocks_main

    broken = tmp_path / "cloud.json"
    broken.write_text("[]")
    for path in (broken, tmp_path / "absent.json", tmp_path):
        with pytest.raises(SystemExit, match="2"):
            blocks_main(["local", str(path)])
        assert (
            "argument cloud_json: not what a running local cloud wrote" in capsys.readouterr().err
        )
