"""Which features of the Glue deployments are used, as far as they take permissions of AWS. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from flinkglue.blocks.forms.glue_job import MOVED
from flinkglue.errors import InvalidInput
from flinkglue.glue.log_arguments import CONTINUOUS_GROUP, GROUP_PREFIX
from flinkglue.prefect.forms.moved import in_their_places

DEFAULT_GROUP = "/aws-glue/"


@dataclass(frozen=True, kw_only=True)
class Features:
    """What is used beyond a plain run of glue-job, glue-run-wait and glue-run-sweep.

    Each field is also an option of ``python -m infra.glue_sample policy``, and says there what it
    is for.
    """

    read_all_connections: bool = field(
        default=False, metadata={"for": "what the parameter read_all_connections needs, too"}
    )
    check_security_groups: bool = field(
        default=False, metadata={"for": "what the parameter check_security_groups needs, too"}
    )
    reset_bookmark: bool = field(
        default=False, metadata={"for": "what the parameter reset_bookmark needs, too"}
    )
    connection_health: bool = field(
        default=False, metadata={"for": "what glue-connection-health reads of zones, too"}
    )
    deploy_job: bool = field(
        default=False, metadata={"for": "what glue-job-deploy and job_definition need, too"}
    )
    job_tags: bool = field(
        default=False, metadata={"for": "what the tags of a definition need, too"}
    )
    script_prefix: str | None = field(
        default=None,
        metadata={"for": "where glue-job-deploy keeps scripts, s3://bucket/folder"},
    )
    log_groups: tuple[str, ...] = field(
        default=(), metadata={"for": f"what jobs name in {GROUP_PREFIX} and {CONTINUOUS_GROUP}"}
    )

    @classmethod
    def of_parameters(cls, parameters: Mapping[str, Any]) -> Features:
        """The features that parameters of glue-job, or of glue-job-deploy, switch on.

        Args:
            parameters: As a run of the deployment gets them. A block that is only named says
                nothing of its script: give the fields of the block in its place.

        Raises:
            InvalidInput: A switch is neither on nor off.
        """
        advanced = in_their_places(parameters, MOVED).get("advanced_options") or {}
        block = parameters.get("job_definition") or parameters.get("definition")
        fields = block if isinstance(block, Mapping) else {}
        defaults = (fields.get("definition") or {}).get("DefaultArguments") or {}
        arguments = {**defaults, **(parameters.get("arguments") or {})}
        groups = {str(arguments.get(name) or "") for name in (GROUP_PREFIX, CONTINUOUS_GROUP)}
        others = {group for group in groups if group and not group.startswith(DEFAULT_GROUP)}
        return cls(
            read_all_connections=_switch(advanced, "read_all_connections"),
            check_security_groups=_switch(advanced, "check_security_groups"),
            reset_bookmark=_switch(advanced, "reset_bookmark"),
            deploy_job=bool(block),
            job_tags=bool((fields.get("definition") or {}).get("Tags")),
            script_prefix=fields.get("script_prefix"),
            log_groups=tuple(sorted(others)),
        )


def _switch(parameters: Mapping[str, Any], name: str) -> bool:
    try:
        return TypeAdapter(bool).validate_python(parameters.get(name) or False)
    except ValidationError as error:
        raise InvalidInput(name, parameters[name], "true or false") from error
