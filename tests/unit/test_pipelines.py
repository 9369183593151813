"""The pipelines of ci/ name only what there is, and call it where it lies."""

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

ROOT = Path(__file__).resolve().parents[2]
OF_FLOWS = re.compile(r"\bflows(Directory)?\b")
BOTH = pytest.mark.parametrize("name", ["azure-pipelines.yml", "github-actions.yml"])


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """All mappings of a YAML file."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, (dict, list)):
            yield from nodes(inner)


def steps(name: str) -> list[tuple[list[str], str]]:
    """The words of each command, and the directory where it runs."""
    loaded = yaml.load((ROOT / "ci" / name).read_text(), Loader=yaml.BaseLoader)
    found = []
    for node in nodes(loaded):
        command = node.get("run") or node.get("script") or node.get("inlineScript")
        if isinstance(command, str):
            where = node.get("working-directory") or node.get("workingDirectory") or ""
            found.append((shlex.split(command.replace("\\\n", " ")), where))
    return found


@BOTH
def test_what_a_pipeline_calls_is_there(name: str) -> None:
    """Modules, and the files that pip reads."""
    called = [
        word
        for words, _ in steps(name)
        for flag, word in itertools.pairwise(words)
        if flag in ("-m", "--constraint")
    ]
    assert {"infra.flink_action", "infra.blocks", "requirements.lock"} <= set(called)
    for word in called:
        assert find_spec(word) if not word.endswith(".lock") else (ROOT / word).is_file(), word


@BOTH
def test_the_flows_and_the_job_lie_in_two_checkouts(name: str) -> None:
    """What belongs to this repository runs there; the job is built where its source is."""
    for words, where in steps(name):
        about = " ".join(words)
        if any(part in about for part in ("infra.", "requirements.lock", "prefect ")):
            assert OF_FLOWS.search(where), about
        else:
            assert "job" in where, about


@BOTH
def test_run_again_a_pipeline_keeps_the_jar_it_began_with(name: str) -> None:
    """The intent is the same then, and so must the jar be."""
    (words,) = [words for words, _ in steps(name) if "cp" in words or "upload" in words]
    look, upload = " ".join(words).split("||")
    assert re.search(r"\b(s3 ls|blob show)\b", look)
    assert re.search(r"\b(s3 cp|blob upload)\b", upload)
