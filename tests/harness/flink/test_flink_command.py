"""The command line of the eleven actions, on a pretended JobManager; the pipelines that use it."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

import infra.flink_action
from flinkglue.errors import (
    AuthenticationFailed,
    CallFailed,
    Conflict,
    DeadlineExceeded,
    InDoubt,
    InvalidInput,
    JobFailed,
    NotFound,
    PermissionDenied,
    ServiceUnavailable,
    Throttled,
)
from flinkglue.lifecycle.execute import RolledBack
from flinkglue.lifecycle.transaction import Refused
from infra.exit_codes import exit_code_of_name
from infra.flink_action import main
from tests.harness.flink.served_flink import ServedJobManager
from tests.unit.lifecycle.fake_flink_jobs import Behaviour

ROOT = Path(__file__).resolve().parents[3]
PIPELINES = [ROOT / "ci" / "azure-pipelines.yml", ROOT / "ci" / "github-actions.yml"]


class Shell:
    """Runs the command in this process."""

    def __init__(self, flink: ServedJobManager, directory: Path, capture: Any) -> None:
        self._options = ["--url", flink.url, "--journal", str(directory / "journal")]
        self._directory = directory
        self._capture = capture
        self.said = ""
        self.outcome: dict[str, Any] = {}

    def __call__(self, action: str, *options: str) -> int:
        code = main([action, "orders", *self._options, "--stable-seconds", "0.1", *options])
        out, self.said = self._capture.readouterr()
        self.outcome = json.loads(out) if out else {}
        return code

    def jar(self, behaviour: Behaviour) -> str:
        path = self._directory / f"{behaviour.name.lower()}.jar"
        path.write_text(behaviour)
        return f"--jar={path}"


@pytest.fixture
def shell(flink: ServedJobManager, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(flink, tmp_path, capsys)


def test_a_job_lives_by_commands_alone(flink: ServedJobManager, shell: Shell) -> None:
    """Without Prefect: the journal is a directory."""
    good = shell.jar(Behaviour.GOOD)
    assert shell("NEW", good, "--arg=--topic", "--arg=a", "--conf", "a.b=c=d") == 0
    (job,) = flink.live_jobs()
    assert job.body["programArgsList"] == ["--topic", "a"]
    assert job.body["flinkConfiguration"]["a.b"] == "c=d"
    assert f"job {job.job_id} runs: RUNNING" in shell.said
    assert shell("SAVEPOINT") == 0
    assert shell("UPDATE", shell.jar(Behaviour.OTHER_GOOD), "--no-args") == 0
    assert [change["field"] for change in shell.outcome["changes"]] == ["jar", "args"]
    assert shell("LIST_SAVEPOINT") == 0
    assert len(shell.outcome["savepoints"]) == 2
    assert shell("STOP") == 0
    assert flink.live_jobs() == []
    assert shell("DELETE") == 0


def test_an_end_has_its_exit_code(flink: ServedJobManager, shell: Shell) -> None:
    """What the help says, in the order of a bad day."""
    assert shell("STOP") == 4, "there is no job"
    assert shell("NEW") == 2, "there is no jar"
    assert shell("NEW", shell.jar(Behaviour.MISSING_CLASS)) == 1, "the jar is bad"
    assert shell("NEW", shell.jar(Behaviour.GOOD)) == 0
    assert shell("NEW", shell.jar(Behaviour.GOOD)) == 4, "it runs already"
    assert shell("UPDATE", shell.jar(Behaviour.CRASH_LOOP)) == 3, "the old one runs again"
    assert "The old job runs again" in shell.said
    late = shell("UPDATE", shell.jar(Behaviour.OTHER_GOOD), "--deadline-minutes", "0.0001")
    assert late == 5, "not ended"
    flink.authorization = "nobody"
    assert shell("CANCEL", "--take-over") == 6, "refused by the service"


def test_the_same_intent_is_done_once(flink: ServedJobManager, shell: Shell) -> None:
    """And goes on where it was when it had not ended."""
    asked = ("UPDATE", shell.jar(Behaviour.OTHER_GOOD), "--intent", "build-7")
    shell("NEW", shell.jar(Behaviour.GOOD))
    assert shell(*asked, "--deadline-minutes", "0.0001") == 5
    assert shell(*asked) == 0
    jobs = len(flink.jobs)
    assert shell(*asked) == 0
    assert len(flink.jobs) == jobs == 2


@pytest.mark.parametrize(
    ("options", "field"),
    [
        (["STOP", "orders", "--url", "http://localhost:1", "--jar", "a.jar"], "jar"),
        (["NEW", "orders", "--url", "http://localhost:1", "--conf", "novalue"], "conf"),
        (["NEW", "orders", "--url", "http://user:password@localhost:1"], "url"),
        (["NEW", "orders", "--url", "ftp://localhost"], "url"),
        (["STOP", "orders", "--url", "http://localhost:1", "--token-env", "NO_SUCH"], "token_env"),
        (["STOP", "orders", "--url", "http://localhost:1", "--deployment"], "deployment"),
        (["STOP", "orders", "--url", "http://localhost:1", "--wait"], "wait"),
        (["STOP", "orders", "--url", "http://localhost:1", "--deadline-minutes", "0"], "deadline"),
        (["STOP", " ", "--url", "http://localhost:1"], "JOB"),
    ],
)
def test_bad_input_is_refused_with_the_name_of_the_field(
    options: list[str], field: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is called, and no password is shown; argparse exits by itself."""
    try:
        code = main(options)
    except SystemExit as end:
        code = int(end.code or 0)
    assert code == 2
    said = capsys.readouterr().err
    assert field in said
    assert "user:password" not in said


@pytest.mark.parametrize("options", [["PAUSE", "orders", "--url", "x"], ["STOP", "orders"]])
def test_bad_usage_is_refused(options: list[str]) -> None:
    """An unknown action; no cluster."""
    with pytest.raises(SystemExit) as end:
        main(options)
    assert end.value.code == 2


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidInput, 2),
        (RolledBack, 3),
        (JobFailed, 1),
        (Refused, 4),
        (Conflict, 4),
        (DeadlineExceeded, 5),
        (ServiceUnavailable, 5),
        (Throttled, 5),
        (InDoubt, 5),
        (CallFailed, 6),
        (NotFound, 6),
        (PermissionDenied, 6),
        (AuthenticationFailed, 6),
    ],
)
def test_a_failed_flow_run_has_the_same_exit_codes(error: type[Exception], code: int) -> None:
    """It tells only the error's name; each code is explained in the help."""
    assert exit_code_of_name(error.__name__) == code
    assert re.search(rf"^  {code}  \w", infra.flink_action.__doc__ or "", re.MULTILINE)


def texts(node: Any) -> list[str]:
    """All texts of a YAML file."""
    if isinstance(node, dict):
        return [text for value in node.values() for text in texts(value)]
    if isinstance(node, list):
        return [text for value in node for text in texts(value)]
    return [node] if isinstance(node, str) else []


def commands(pipeline: Path, program: str) -> list[list[str]]:
    """The words of each call of a program, with variables filled in."""
    loaded = yaml.load(pipeline.read_text(), Loader=yaml.BaseLoader)  # BaseLoader: "on" stays "on"
    lines = "\n".join(texts(loaded)).replace("\\\n", " ").splitlines()
    filled = [
        re.sub(r"\$\(\w[\w.]*\)|\$\{\{.*?\}\}|\$\{?\w+\}?", "any.jar", line) for line in lines
    ]
    return [shlex.split(line) for line in filled if program in line]


@pytest.mark.parametrize("pipeline", PIPELINES, ids=lambda path: path.name)
def test_a_pipeline_updates_a_job(pipeline: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its command is one that this version takes: an UPDATE, once for each build, waited for."""
    (words,) = commands(pipeline, "infra.flink_action")
    options = words[words.index("infra.flink_action") + 1 :]
    assert main([*options, "--dry-run"]) == 0
    asked = json.loads(capsys.readouterr().out)
    assert asked["action"] == "UPDATE"
    assert asked["intent"]
    assert {"--deployment", "--wait", "--intent"} <= set(options)


@pytest.mark.parametrize("pipeline", PIPELINES, ids=lambda path: path.name)
def test_a_pipeline_sets_the_server_up(pipeline: Path) -> None:
    """From the file of an environment; `prefect deploy` would undo what people set."""
    (up,) = commands(pipeline, "infra.setup")
    assert up[-2] == "up"  # the file is a variable
    assert not [*commands(pipeline, "prefect --no-prompt deploy")]


def test_what_a_pipelines_jobs_wait_for_exists() -> None:
    """The services' schemas, which other tests check, do not look at names."""
    azure, github = (yaml.load(path.read_text(), Loader=yaml.BaseLoader) for path in PIPELINES)
    stages = {stage["stage"]: stage.get("dependsOn") for stage in azure["stages"]}
    assert set(stages["Update"]) == {"Build", "Deploy"} < set(stages)
    needs = {name: job.get("needs", []) for name, job in github["jobs"].items()}
    assert needs["publish"] == "build"
    assert set(needs["update"]) == {"publish", "deploy"} < set(needs)
