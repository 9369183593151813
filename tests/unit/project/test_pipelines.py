"""The pipelines of ci/ name only what there is, call it where it lies, and give nothing away."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
OF_FLOWS = re.compile(r"\bflows(Directory)?\b")
AZURE, GITHUB = "azure-pipelines.yml", "github-actions.yml"
BOTH = pytest.mark.parametrize("name", [AZURE, GITHUB])

PASTED = re.compile(r"\$\{\{|\$\[|\$\([A-Za-z_][\w.]*\)")
"""What a service writes into a script's text before a shell reads it: of GitHub, then of Azure."""
PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
SECRET = re.compile(r"\bsecrets\.|PREFECT_API_KEY|TOKEN")


def text(name: str) -> str:
    return (ROOT / "ci" / name).read_text()


def loaded(written: str) -> Any:
    return yaml.load(written, Loader=yaml.BaseLoader)


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """All mappings of a YAML file."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, (dict, list)):
            yield from nodes(inner)


def scripts(written: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The text of each script, with the step that it is of."""
    for node in nodes(loaded(written)):
        for script in ("run", "script", "bash", "pwsh", "powershell", "inlineScript", "arguments"):
            if isinstance(node.get(script), str):
                yield node[script], node


def steps(name: str) -> list[tuple[list[str], str]]:
    """The words of each command, and the directory where it runs."""
    return [
        (
            shlex.split(command.replace("\\\n", " ")),
            node.get("working-directory") or node.get("workingDirectory") or "",
        )
        for command, node in scripts(text(name))
    ]


def faults(written: str) -> list[str]:
    """What an attacker, or a careless value, could make use of."""
    return [
        *(f"pasted into a script: {script}" for script, _ in scripts(written)
          if PASTED.search(script)),
        *(f"not pinned: {line.strip()}" for line in written.splitlines()
          if re.search(r"\buses:", line) and not PINNED.search(line.strip().removeprefix("- "))),
        *_wide_secrets(loaded(written)),
        *_kept_credentials(loaded(written)),
        *_wide_permissions(loaded(written)),
    ]  # fmt: skip


def _wide_secrets(pipeline: dict[str, Any]) -> Iterator[str]:
    """A secret is for the step that needs it: in no environment above it."""
    steps = [step for node in nodes(pipeline) for step in node.get("steps", [])]
    for node in nodes(pipeline):
        wide = node if "stages" in node or "jobs" in node or "steps" in node else None
        if wide is not None and SECRET.search(f"{wide.get('env', '')}"):
            yield f"a secret for more than a step: {wide['env']}"
    groups = [group for each in pipeline.get("variables", []) if (group := each.get("group"))] \
        if isinstance(pipeline.get("variables"), list) else []  # fmt: skip
    yield from (f"secrets for every job: {group}" for group in groups if "secret" in group)
    if not any(SECRET.search(f"{step.get('env', '')}") for step in steps):
        yield "no step has a secret: the check sees nothing"


def _kept_credentials(pipeline: dict[str, Any]) -> Iterator[str]:
    for node in nodes(pipeline):
        given = node.get("with", {})
        if node.get("uses", "").startswith("actions/checkout@") and (
            given.get("persist-credentials") != "false"
        ):
            yield f"a token stays in the checkout: {node}"
        if "checkout" in node and node.get("persistCredentials") != "false":
            yield f"a token stays in the checkout: {node}"


def _wide_permissions(pipeline: dict[str, Any]) -> Iterator[str]:
    """GitHub's token: nothing for the workflow, and what each job needs."""
    if not any("runs-on" in node for node in nodes(pipeline)):
        return
    if pipeline.get("permissions") != {}:
        yield f"for every job: {pipeline.get('permissions')}"
    for job_name, job in pipeline["jobs"].items():
        granted = job.get("permissions")
        if granted is None or "write" in set(granted.values()) - {"write"}:
            yield f"{job_name} does not say what it may"
        if (
            set(granted or {}) - {"contents", "id-token"}
            or (granted or {}).get("contents", "read") != "read"
        ):
            yield f"{job_name} may too much: {granted}"


@BOTH
def test_a_pipeline_gives_nothing_away(name: str) -> None:
    assert faults(text(name)) == []


@pytest.mark.parametrize(
    ("name", "before", "after", "told"),
    [
        (GITHUB, '"$JOB_NAME"', "${{ vars.JOB_NAME }}", "pasted into a script"),
        (GITHUB, '"$JAR"', '"${{ github.event.head_commit.message }}"', "pasted into a script"),
        (AZURE, '"$JOB_NAME"', '"$(JOB_NAME)"', "pasted into a script"),
        (AZURE, '"$BUILT_JAR"', "${{ parameters.jar }}", "pasted into a script"),
        (AZURE, '"jars/$JAR_NAME"', "$(Build.SourceBranchName)", "pasted into a script"),
        (GITHUB, "checkout@3d3c42e5aac5ba805825da76410c181273ba90b1", "checkout@v7", "not pinned"),
        (GITHUB, " # v7.0.1", "", "not pinned"),
        (
            GITHUB,
            "jobs:\n",
            "env:\n  KEY: ${{ secrets.PREFECT_API_KEY }}\njobs:\n",
            "a secret for more than a step",
        ),
        (
            GITHUB,
            "    environment: production\n",
            "    environment: production\n    env: {KEY: '${{ secrets.PREFECT_API_KEY }}'}\n",
            "a secret for more than a step",
        ),
        (AZURE, "group: flinkglue\n", "group: flinkglue-secrets\n", "secrets for every job"),
        (GITHUB, "persist-credentials: false", "fetch-depth: 1", "a token stays"),
        (AZURE, 'persistCredentials: "false"', 'persistCredentials: "true"', "a token stays"),
        (GITHUB, "permissions: {} # each", "permissions: write-all # each", "for every job"),
        (GITHUB, "contents: read", "contents: write", "may too much"),
        (GITHUB, "    permissions: {}\n", "", "does not say what it may"),
    ],
)
def test_what_a_pipeline_would_give_away_is_found(
    name: str, before: str, after: str, told: str
) -> None:
    """The check can fail."""
    assert before in text(name)
    found = faults(text(name).replace(before, after, 1))
    assert any(told in fault for fault in found), found


@pytest.mark.parametrize("shell", ["$(pwd)/jars", "$(git rev-parse HEAD)", "$HOME", "${JAR%.jar}"])
def test_what_the_shell_itself_replaces_is_no_fault(shell: str) -> None:
    """But for one word in ``$()``, which is a variable to Azure."""
    assert bool(PASTED.search(shell)) == (shell == "$(pwd)/jars")


def test_what_a_build_runs_comes_by_no_secret_and_no_cloud_role() -> None:
    """Maven runs plugins that others wrote."""
    github = loaded(text(GITHUB))["jobs"]
    azure = [node for node in nodes(loaded(text(AZURE))) if "steps" in node]
    for job in [*github.values(), *azure]:
        if "mvn" in str(job["steps"]):
            assert job.get("permissions", {}) in ({}, {"contents": "read"})
            assert "environment" not in job
            assert not SECRET.search(str(job))
            assert "secrets" not in str(job.get("variables", ""))
            assert "azureSubscription" not in str(job)


def test_a_role_of_the_cloud_is_only_where_the_jar_is_put() -> None:
    jobs = loaded(text(GITHUB))["jobs"]
    assert [name for name, job in jobs.items() if "id-token" in job["permissions"]] == ["publish"]
    assert not SECRET.search(str(jobs["publish"]))


@BOTH
def test_one_update_follows_the_other_for_each_flink_job(name: str) -> None:
    """And none is ended half way."""
    pipeline = loaded(text(name))
    if name == GITHUB:
        assert "vars.JOB_NAME" in pipeline["concurrency"]["group"]
        assert pipeline["concurrency"]["cancel-in-progress"] == "false"
    else:
        assert pipeline["lockBehavior"] == "sequential"


@BOTH
def test_what_is_installed_was_locked(name: str) -> None:
    """By hash, and built by nobody here; the project itself without anything from outside."""
    installs = [command for command, _ in scripts(text(name)) if "pip install" in command]
    assert len(installs) == 2
    for command in installs:
        locked, own = (shlex.split(part) for part in command.split("&&"))
        assert {"--require-hashes", "--only-binary", "--no-deps"} <= set(locked)
        assert {"--no-deps", "--no-build-isolation"} <= set(own)


@BOTH
def test_what_a_pipeline_calls_is_there(name: str) -> None:
    """Modules, and the files that pip reads."""
    called = [
        word
        for words, _ in steps(name)
        for flag, word in itertools.pairwise(words)
        if flag in ("-m", "--requirement") and word != "pip"
    ]
    assert {
        "infra.flink_action", "infra.setup", "infra.advisories", "requirements-worker.lock"
    } == set(called)  # fmt: skip
    for word in called:
        assert find_spec(word) if not word.endswith(".lock") else (ROOT / word).is_file(), word


@BOTH
def test_the_flows_and_the_job_lie_in_two_checkouts(name: str) -> None:
    """What belongs to this repository runs there; the job is built where its source is."""
    for words, where in steps(name):
        about = " ".join(words)
        if any(part in about for part in ("infra.", "requirements-", "prefect ")):
            assert OF_FLOWS.search(where), about
        else:
            assert "job" in where, about


@BOTH
def test_run_again_a_pipeline_keeps_the_jar_it_began_with(name: str) -> None:
    """The intent is the same then, and so must the jar be."""
    (words,) = [words for words, _ in steps(name) if {"aws", "az"} & set(words)]
    look, upload = " ".join(words).split("||")
    assert re.search(r"\b(s3 ls|blob show)\b", look)
    assert re.search(r"\b(s3 cp|blob upload)\b", upload)
