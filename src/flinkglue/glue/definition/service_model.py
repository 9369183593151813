"""A definition checked against the loaded service model, before any call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flinkglue.errors import InvalidInput
from flinkglue.glue.job_definition import FIELD, JobDefinition

if TYPE_CHECKING:
    from botocore.model import StructureShape


def check_definition(definition: JobDefinition, shape: StructureShape) -> None:
    """Refuse what Glue would refuse.

    Args:
        shape: The JobUpdate structure.

    Raises:
        InvalidInput: A value has another type than Glue takes, or is out of its range.
    """
    from botocore.validate import ParamValidator

    given = definition.given()
    if given.get("Timeout") == 0:  # streaming jobs have it; only the SDK's model refuses it
        del given["Timeout"]
    report = ParamValidator().validate(given, shape)
    if report.has_errors():
        lines = "; ".join(map(_without_value, report.generate_report().splitlines()))
        raise InvalidInput(
            FIELD, f"that of job {definition.job_name}", f"Glue's own types: {lines}"
        )


def _without_value(problem: str) -> str:
    """What the SDK's validation says, without the value, which may be a secret."""
    parameter, _, rest = problem.partition(", value:")
    valid = rest.rfind("valid ")
    return f"{parameter}, {rest[valid:]}" if valid >= 0 else parameter
