"""The work pools of containers: their templates by the workers' own classes, and the one image."""

from __future__ import annotations

import asyncio
import fnmatch
import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from packaging.specifiers import SpecifierSet
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.workers.base import BaseWorker

from infra.setup.environment import WorkPool, read_environment
from infra.setup.kinds.work_pools import template_of
from infra.setup.project import specs

ROOT = Path(__file__).resolve().parents[3]
CONTAINERS = read_environment(ROOT / "deployments" / "containers.yaml")
IMAGE = "registry.example.com/prefect-flink-glue:0.1.0"
COMMAND = ["prefect", "flow-run", "execute"]
RETRIED = ("PREFECT_CLIENT_RETRY_EXTRA_CODES", "500,504")


def job_of(name: str) -> Any:
    """What a worker of the pool would start for a flow run."""
    pool = CONTAINERS.work_pools[name]
    template = template_of(name, pool)
    worker = BaseWorker.get_worker_class_from_type(pool.type)
    assert worker is not None
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):  # nothing is called
        job = asyncio.run(worker.job_configuration.from_template_and_values(template, {}))
        job.prepare_for_flow_run(FlowRun(id=uuid4(), flow_id=uuid4(), name="a run"))
    return job


def test_all_four_platforms_are_there() -> None:
    types = {pool.type for pool in CONTAINERS.work_pools.values()}
    assert types == {"docker", "kubernetes", "ecs", "azure-container-instance"}


def test_docker_runs_the_image() -> None:
    job = job_of("flinkglue-docker")
    assert job.image == IMAGE
    assert shlex.split(job.command) == COMMAND
    assert RETRIED in job.env.items()


def test_kubernetes_runs_the_image_with_its_identity_and_limits() -> None:
    pod = job_of("flinkglue-kubernetes").job_manifest["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == IMAGE
    assert container["args"] == COMMAND
    assert {"name": RETRIED[0], "value": RETRIED[1]} in container["env"]
    assert container["resources"] == {
        "requests": {"cpu": "250m", "memory": "256Mi"},
        "limits": {"memory": "512Mi"},
    }
    assert pod["serviceAccountName"] == "flinkglue-runs"


def test_ecs_runs_the_image_with_its_roles() -> None:
    job = job_of("flinkglue-ecs")
    (container,) = job.task_definition["containerDefinitions"]
    assert container["image"] == IMAGE
    assert str(job.task_definition["cpu"]) == "512"
    assert job.task_definition["executionRoleArn"].endswith("/ecsTaskExecutionRole")
    assert job.task_run_request["overrides"]["taskRoleArn"].endswith("/flinkglue-runs")
    assert shlex.split(job.command) == COMMAND
    assert RETRIED in job.env.items()


def test_azure_runs_the_image_with_its_identity_and_no_file_of_another_image() -> None:
    job = job_of("flinkglue-aci")
    (group,) = job.arm_template["resources"]
    (container,) = group["properties"]["containers"]
    assert container["properties"]["image"] == IMAGE
    assert container["properties"]["command"] == COMMAND
    assert [*group["identity"]["userAssignedIdentities"]] == job.identities


@pytest.mark.parametrize(
    ("defaults", "named"),
    [
        ({"imag": IMAGE}, "defaults.imag"),
        ({"image": 5}, "defaults.image"),
        ({"auto_remove": "perhaps"}, "defaults.auto_remove"),
    ],
)
def test_what_a_worker_does_not_take_is_refused(defaults: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=re.escape(named)):
        template_of("pool", WorkPool(type="docker", defaults=defaults))


def test_deployments_find_the_code_where_the_image_has_it() -> None:
    directory = workdir()
    assert CONTAINERS.code_directory == directory
    for spec in specs(CONTAINERS.deployments, CONTAINERS.code_directory):
        assert directory in json.dumps(spec.fields["pull_steps"])
        flow_file = spec.fields["entrypoint"].partition(":")[0]
        assert any(fnmatch.fnmatch(flow_file, f"{source}/*") for source in copied())


def instructions() -> list[tuple[str, str]]:
    """Those of the Dockerfile, in order."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def workdir() -> str:
    (directory,) = [rest for word, rest in instructions() if word == "WORKDIR"]
    return directory


def copied() -> list[str]:
    return [each for word, rest in instructions() if word == "COPY" for each in rest.split()[:-1]]


def test_what_the_image_copies_is_there_and_is_sent_to_the_builder() -> None:
    sent = (ROOT / ".dockerignore").read_text().splitlines()
    for source in copied():
        assert (ROOT / source).exists(), source
        assert f"!{source}" in sent
    assert {line[1:] for line in sent if line.startswith("!")} == {*copied()}


def test_what_the_library_links_to_is_in_the_image() -> None:
    """A link whose end is not copied would be broken in it."""
    links = [path for path in (ROOT / "src" / "flinkglue").iterdir() if path.is_symlink()]
    assert {path.resolve().relative_to(ROOT).parts[0] for path in links} <= {*copied()}


def test_the_image_installs_what_is_locked_and_runs_without_rights() -> None:
    words = [word for word, _ in instructions()]
    assert words[0] == "FROM"
    pips = [rest for word, rest in instructions() if word == "RUN" and "pip install" in rest]
    assert "--require-hashes" in pips[0]
    assert "--only-binary :all:" in pips[0]
    assert all("--no-deps" in each for each in pips)
    assert instructions()[-1] == ("USER", "10001")
    assert "ADD" not in words
    assert not re.search(r"(?i)password|secret|token|api_key", (ROOT / "Dockerfile").read_text())


def test_the_image_has_a_python_that_the_project_takes() -> None:
    (base,) = [rest for word, rest in instructions() if word == "FROM"]
    version = re.fullmatch(r"python:(\d+\.\d+)-slim", base)
    assert version is not None
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert SpecifierSet(project["requires-python"]).contains(version[1])
