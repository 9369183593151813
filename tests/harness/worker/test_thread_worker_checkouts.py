"""Code that pull steps fetch with git: one checkout for all deployments with the same steps."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.client.schemas.responses import DeploymentResponse

from flinkglue.prefect.worker.isolation import NeedsProcess
from flinkglue.prefect.worker.threads import working_directory
from tests.unit.prefect.worker.code.code_of_deployments import (
    Code,
    deployment,
    modules_put_back,
    shared,
    written,
)


class Repository:
    """A git repository with two branches, and a note of each time that one was pulled."""

    def __init__(self, path: Path) -> None:
        self.path = written(path)
        self._log = path.parent / "pulls"
        self._git("init", "-q", "-b", "main")
        self.commit()
        self._git("branch", "dev")

    def commit(self) -> None:
        self._git("add", ".")
        self._git("-c", "user.email=a@b", "-c", "user.name=a", "commit", "-q", "-m", "changed")

    def steps(self, branch: str = "main") -> list[dict[str, Any]]:
        noted = {"script": f"bash -c 'pwd >> {self._log}'"}
        return [
            {
                "prefect.deployments.steps.git_clone": {
                    "repository": self.path.as_uri(),
                    "branch": branch,
                }
            },
            {"prefect.deployments.steps.run_shell_script": noted},
        ]

    def deployment(self, name: str) -> DeploymentResponse:
        entrypoint = f"thread_{name}.py:thread_{name}"
        return deployment(self.path, entrypoint, pull_steps=self.steps())

    @property
    def pulls(self) -> list[str]:
        """The directories in which steps have run."""
        return self._log.read_text().splitlines()

    def _git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.path, check=True)


@pytest.fixture
def repository(prefect_files: list[Path], tmp_path: Path) -> Iterator[Repository]:
    if not working_directory.can_be_private():
        pytest.skip("this system, or its container, gives threads none of their own")
    with modules_put_back():
        yield Repository(tmp_path / "code")


@pytest.fixture
def code(tmp_path: Path) -> Code:
    return Code(tmp_path / "home")


def test_what_the_pull_steps_of_another_deployment_fetched_is_new_enough_for_a_while(
    code: Code, repository: Repository
) -> None:
    """A deployment that is new, or that changed, has its own run of them."""
    one, two = repository.deployment("one"), repository.deployment("two")
    for each in (one, two, one, two):
        code.load(each, pull_every_seconds=60)
    assert len(repository.pulls) == 2
    changed = one.model_copy(update={"version": "2"})
    for each in (changed, two, changed):
        code.load(each, pull_every_seconds=60)
    assert len(repository.pulls) == 3


def test_deployments_with_the_same_pull_steps_are_threads_of_one_worker(
    code: Code, repository: Repository
) -> None:
    """A commit that one of their runs fetches is loaded for all of them."""
    one, two = repository.deployment("one"), repository.deployment("two")
    first, second = code.begin(one), code.begin(two)
    assert first.fn.__globals__["thread_shared"] is second.fn.__globals__["thread_shared"]
    assert len({*repository.pulls}) == 1, "in one directory"
    (repository.path / "thread_shared.py").write_text("WORD = 'two'\n")
    repository.commit()
    assert [shared(code.load(each)) for each in (two, one)] == ["two", "two"]
    assert shared(first) == "one", "a run that has begun goes on with what it has"


def test_a_directory_goes_when_no_deployment_has_its_steps_and_no_flow_run_its_code(
    code: Code, repository: Repository, tmp_path: Path
) -> None:
    one, two = repository.deployment("one"), repository.deployment("two")
    code.begin(one)
    code.load(two)
    dev = {"pull_steps": repository.steps("dev")}
    [first] = (tmp_path / "home").iterdir()
    for each in (one, two):
        with pytest.raises(NeedsProcess, match="another directory"):
            code.begin(each.model_copy(update=dev))
    assert first.exists(), "a flow run has its code"
    code.end(one)
    code.load(one.model_copy(update=dev))
    [second] = (tmp_path / "home").iterdir()
    assert second != first
    code.load(two)
    assert len({*repository.pulls}) == 2
    assert {*(tmp_path / "home").iterdir()} == {first, second}


def test_pull_steps_that_are_too_slow_are_left_to_processes(
    repository: Repository, tmp_path: Path
) -> None:
    code = Code(tmp_path / "home", deadline_seconds=0.5)
    script = f"bash -c 'while [ ! -e {tmp_path}/go ]; do sleep 0.05; done'"
    steps = [{"prefect.deployments.steps.run_shell_script": {"script": script}}]
    one, two = repository.deployment("one"), repository.deployment("two")
    with pytest.raises(NeedsProcess, match=r"not there within 0.5 s$"):
        code.begin(one.model_copy(update={"pull_steps": steps}))
    began_at = time.monotonic()
    with pytest.raises(NeedsProcess, match="for an earlier flow run"):
        code.begin(two.model_copy(update={"pull_steps": steps}))
    assert time.monotonic() - began_at < 0.3
    (tmp_path / "go").touch()
