"""Which flow runs are threads, whose they are, and when their code is loaded again."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.workers.base import BaseWorker

from flinkglue.errors import InvalidInput
from flinkglue.prefect.store.thread_ownership import THREAD_PREFIX, owner_of, pending_message
from flinkglue.prefect.worker import ThreadWorker
from flinkglue.prefect.worker.code.files import CodeModules, Fingerprint
from flinkglue.prefect.worker.isolation import ADOPTIONS_LABEL, BadVariable, run_variables
from flinkglue.prefect.worker.settings import WorkerSettings

TEMPLATE = ThreadWorker.get_default_base_job_template()


def reason(
    deployment: dict[str, Any] | None = None,
    flow_run: dict[str, Any] | None = None,
    environment: dict[str, str] | None = None,
    labels: dict[str, Any] | None = None,
    template: dict[str, Any] = TEMPLATE,
) -> str:
    return run_variables(
        template, deployment, flow_run, environment or {}, labels or {}
    ).needs_process


def test_a_flow_run_is_a_thread_unless_something_asks_for_a_process() -> None:
    assert reason() == ""
    assert "isolation" in reason({"isolation": "process"})
    assert reason({"isolation": "process"}, {"isolation": "thread"}) == ""
    assert "command" in reason({"command": "python -m prefect.engine"})
    assert "working_dir" in reason(None, {"working_dir": "/srv"})


@pytest.mark.parametrize(
    "variables", [{"env": {"REGION": "eu-west-1"}}, {"env.REGION": "eu-west-1"}]
)
def test_an_environment_that_the_worker_does_not_have_takes_a_process(
    variables: dict[str, Any],
) -> None:
    assert "REGION" in reason(variables)
    assert "REGION" in reason(variables, environment={"REGION": "us-east-1"})
    assert reason(variables, environment={"REGION": "eu-west-1"}) == ""
    assert "REGION" in reason(variables, {"env": {"REGION": None}}, {"REGION": "eu-west-1"})
    assert "eu-west-1" not in reason(variables), "it may be a secret"


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("pull_every_seconds", "soon", "0 to 86400"),
        ("pull_every_seconds", -1, "0 to 86400"),
        ("pull_every_seconds", [60], "0 to 86400"),
        ("cancel_grace_seconds", 0, "above 0 to 3600"),
        ("cancel_grace_seconds", "nan", "above 0 to 3600"),
        ("isolation", "threads", "thread or process"),
        ("env", "REGION=eu-west-1", "names and their values"),
    ],
)
@pytest.mark.parametrize("of", ["pool", "deployment", "flow run"])
def test_a_job_variable_that_is_none_of_the_allowed_is_refused_by_its_name(
    name: str, value: Any, allowed: str, of: str
) -> None:
    template = deepcopy(TEMPLATE)
    if of == "pool":
        template["job_configuration"][name] = value
    given = {of: {name: value}}
    with pytest.raises(BadVariable, match=f"{name} .*{allowed}"):
        reason(given.get("deployment"), given.get("flow run"), template=template)


def test_job_variables_are_numbers_in_words_too_and_nothing_is_the_default() -> None:
    variables = {"pull_every_seconds": "60", "cancel_grace_seconds": None, "env": None}
    found = run_variables(TEMPLATE, variables, None, {}, {})
    assert (found.pull_every_seconds, found.cancel_grace_seconds) == (60.0, 10.0)


def test_the_pool_may_ask_for_processes() -> None:
    fixed = {**TEMPLATE, "job_configuration": {**TEMPLATE["job_configuration"]}}
    fixed["job_configuration"]["isolation"] = "process"
    assert "isolation" in reason(template=fixed)


def test_a_flow_run_whose_workers_die_again_and_again_gets_a_process() -> None:
    assert reason(labels={ADOPTIONS_LABEL: 2}) == ""
    assert "3 workers in a row died" in reason(labels={ADOPTIONS_LABEL: 3})


def test_every_field_of_the_form_is_described() -> None:
    properties = TEMPLATE["variables"]["properties"]
    assert {"isolation", "pull_every_seconds", "cancel_grace_seconds"} <= {*properties}
    assert all(field.get("description") for field in properties.values())


def test_prefect_finds_the_worker_by_its_type() -> None:
    assert BaseWorker.get_worker_class_from_type("thread") is ThreadWorker


def flow_run(message: str = "", pid: str | None = None) -> FlowRun:
    state = State(type=StateType.RUNNING, message=message)
    return FlowRun(flow_id=uuid4(), state=state, infrastructure_pid=pid)


def test_the_owner_of_a_flow_run_is_written_on_it() -> None:
    first, second = uuid4().hex, uuid4().hex
    assert owner_of(flow_run()) is None
    assert owner_of(flow_run(pid="4711")) is None
    assert owner_of(flow_run(pid=f"{THREAD_PREFIX}{first}")) == first
    taken_anew = flow_run(pending_message("a worker", second), f"{THREAD_PREFIX}{first}")
    assert owner_of(taken_anew) == second


@pytest.fixture
def code(tmp_path: Path) -> Iterator[Path]:
    sys.path.insert(0, str(tmp_path))
    yield tmp_path
    sys.path.remove(str(tmp_path))


def test_a_file_is_unchanged_by_its_content(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text("one")
    mark = Fingerprint.of(str(file))
    assert mark is not None
    file.write_text("one")
    assert mark.is_of(str(file))
    file.write_text("two")
    assert not mark.is_of(str(file))
    file.unlink()
    assert not mark.is_of(str(file))


def test_the_code_of_a_directory_is_forgotten_and_nothing_else(code: Path) -> None:
    (code / "thread_worker_sample.py").write_text("WORD = 'one'\n")
    modules = CodeModules()
    import thread_worker_sample  # type: ignore[import-not-found]

    modules.learn(str(code), loaded_since_ns=2**63)
    assert modules.are_current()
    (code / "thread_worker_sample.py").write_text("WORD = 'two'\n")
    assert not modules.are_current()
    modules.forget(str(code))
    import thread_worker_sample as again

    assert (thread_worker_sample.WORD, again.WORD) == ("one", "two")
    modules.forget(str(Path(__file__).parents[4]))
    assert "flinkglue.clock" in sys.modules
    modules.forget(str(code))
    assert "thread_worker_sample" not in sys.modules


def test_a_file_that_may_have_changed_while_it_was_loaded_is_loaded_again(code: Path) -> None:
    (code / "thread_worker_sample.py").write_text("WORD = 'one'\n")
    modules = CodeModules()
    import thread_worker_sample  # noqa: F401

    modules.learn(str(code), loaded_since_ns=0)
    assert not modules.are_current()
    modules.forget(str(code))


@pytest.mark.parametrize("value", ["soon", "nan", "0.5", "4000"])
def test_a_lease_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("FLINKGLUE_WORKER_LEASE_SECONDS", value)
    with pytest.raises(InvalidInput, match="FLINKGLUE_WORKER_LEASE_SECONDS"):
        WorkerSettings.from_environment()
