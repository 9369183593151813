"""Work pools with their job templates."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from prefect.plugins import load_prefect_collections
from prefect.workers.base import BaseWorker
from pydantic import SecretStr

from flinkglue.errors import InvalidInput
from infra.setup.environment import WorkPool
from infra.setup.fields import ABSENT, FieldChange, Fields
from infra.setup.kinds.kind import Kind, Observed
from infra.setup.schema_check import why_refused
from infra.setup.server import Server

PROCESS_TEMPLATE = Path(__file__).parents[2] / "process_work_pool.json"


class WorkPools(Kind):
    """Work pools."""

    noun = "work pool"

    def __init__(self, server: Server, pools: Mapping[str, WorkPool]) -> None:
        self._server = server
        self._desired = {name: _fields(name, pool) for name, pool in pools.items()}

    def desired(self) -> Mapping[str, Fields]:
        return self._desired

    def secret(self, name: str) -> frozenset[str]:
        return frozenset({"base_job_template"})  # it has defaults of environment variables

    def observe(self, name: str) -> Observed | None:
        raw = self._server.get("/work_pools/{}", name)
        return None if raw is None else Observed(_shown(raw), raw)

    def check(self, name: str, observed: Observed | None, changes: Sequence[FieldChange]) -> None:
        for each in changes:
            if each.path == "type":
                raise InvalidInput(
                    f"work_pools.{name}.type",
                    each.after,
                    f"{each.before}, which the pool is, or another name: "
                    "Prefect cannot change the type of a work pool",
                )

    def create(self, name: str, fields: Fields) -> None:
        self._server.post("/work_pools/", body={"name": name, **fields})

    def update(self, name: str, observed: Observed, changes: Sequence[FieldChange]) -> None:
        changed = {each.path: _value(each.after) for each in changes}
        self._server.patch("/work_pools/{}", name, body=changed)

    def delete(self, name: str) -> None:
        self._server.delete("/work_pools/{}", name)

    def is_in_use(self, name: str) -> str:
        body = {"work_pools": {"name": {"any_": [name]}}, "limit": 1}
        found = self._server.post("/deployments/filter", body=body)
        return f"deployment {found[0]['name']}" if found else ""


def template_of(name: str, pool: WorkPool) -> dict[str, Any]:
    """The base job template of a pool, with its defaults.

    Raises:
        InvalidInput: No worker of this type is installed, the file is no template, or a default is
            not one of its job variables.
    """
    template = deepcopy(_template(name, pool))
    variables = template["variables"]
    for variable, value in pool.defaults.items():
        check_variable(f"work_pools.{name}.defaults.{variable}", variable, value, variables)
        variables["properties"][variable]["default"] = value
    return template


def check_variable(field: str, variable: str, value: Any, variables: Mapping[str, Any]) -> None:
    """Refuse a job variable that the template does not have, or not with such a value.

    Raises:
        InvalidInput: Names it and what is allowed.
    """
    properties = variables["properties"]
    if variable not in properties:
        raise InvalidInput(field, variable, f"one of {', '.join(properties)}")
    if why := why_refused(variable, value, variables):
        if variable == "env":  # one of them may be a secret, and the reason repeats it
            allowed = "a text for each name: put numbers, true and false in quotes"
            raise InvalidInput(field, SecretStr(""), allowed)
        raise InvalidInput(field, value, f"what the template takes: {why}")


def _template(name: str, pool: WorkPool) -> dict[str, Any]:
    path = pool.base_job_template
    if path is None and pool.type == "process":
        path = PROCESS_TEMPLATE
    if path is None:
        load_prefect_collections()
        worker = BaseWorker.get_worker_class_from_type(pool.type)
        if worker is None:
            known = ", ".join(sorted(BaseWorker.get_all_available_worker_types()))
            allowed = (
                f"one of {known}, or of a worker package that is installed here, "
                "or any type with its template in base_job_template"
            )
            raise InvalidInput(f"work_pools.{name}.type", pool.type, allowed)
        return worker.get_default_base_job_template()
    try:
        template = json.loads(path.read_text(encoding="utf-8"))
        template["job_configuration"], template["variables"]["properties"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise InvalidInput(
            f"work_pools.{name}.base_job_template", str(path), f"a job template: {error}"
        ) from error
    assert isinstance(template, dict)
    return template


def _fields(name: str, pool: WorkPool) -> Fields:
    given: dict[str, Any] = {"type": pool.type, "base_job_template": template_of(name, pool)}
    for field in ("concurrency_limit", "description"):
        if (value := getattr(pool, field)) is not None:
            given[field] = value
    return given


def _shown(raw: Mapping[str, Any]) -> Fields:
    names = ("type", "base_job_template", "concurrency_limit", "description")
    return {name: raw[name] for name in names if raw.get(name) is not None}


def _value(after: Any) -> Any:
    return None if after is ABSENT else after
