"""The work pools that deployments name: whether they are there, and take the job variables."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from flinkglue.errors import InvalidInput
from infra.setup.fields import Fields
from infra.setup.kinds.work_pools import check_variable
from infra.setup.server import Server

_PREFIX = "job_variables."


class UsedPools:
    """Work pools, read once each.

    Args:
        server: The server.
        of_file: Those that are set up before the deployments, by name.
    """

    def __init__(self, server: Server, of_file: Mapping[str, Fields]) -> None:
        self._server = server
        self._of_file = of_file
        self._templates: dict[str, Any] = {}

    def check(self, deployment: str, fields: Fields, changed: Collection[str]) -> None:
        """Refuse what the server would refuse when other objects are set up already, or ignore.

        Args:
            deployment: Its name.
            fields: What it is to have.
            changed: Which of them are set.

        Raises:
            InvalidInput: The pool does not exist, or does not take a job variable.
        """
        pool = fields.get("work_pool_name")
        is_moved = "work_pool_name" in changed
        variables = [
            path for path in fields if path.startswith(_PREFIX) and (is_moved or path in changed)
        ]
        if pool is None or not (is_moved or variables):
            return
        template = self._template(deployment, pool)
        if "properties" not in template.get("variables", {}):
            return
        for path in variables:
            variable, value = path.removeprefix(_PREFIX), fields[path]
            if not variable.startswith("env.") and not _is_filled_in(value):
                where = f"deployments.{deployment}.{path}"
                check_variable(where, variable, value, template["variables"])

    def _template(self, deployment: str, pool: str) -> Any:
        """As the server has it: a file's own may be left, where somebody changed it there."""
        if pool not in self._templates:
            found = self._server.get("/work_pools/{}", pool) or self._of_file.get(pool)
            if found is None:
                raise InvalidInput(
                    f"deployments.{deployment}.work_pool",
                    pool,
                    "a work pool of the file, or one that is on the server",
                )
            self._templates[pool] = found.get("base_job_template") or {}
        return self._templates[pool]


def _is_filled_in(value: Any) -> bool:
    """Whether a worker puts something else in its place, such as the content of a block."""
    return any(mark in json.dumps(value) for mark in ("{{", '"$ref"'))
