"""Whether Prefect takes a value for one field of a schema. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prefect.utilities.schema_tools.validation import ValidationError, validate


def why_refused(
    name: str, value: Any, schema: Mapping[str, Any], *, preprocess: bool = True
) -> str:
    """Why the schema does not take the value; empty: it does.

    Args:
        name: One of the schema's properties. The others do not matter.
        preprocess: Whether to add nulls first, as the server does for a flow run.
    """
    only = {**schema, "properties": {name: schema["properties"][name]}}
    try:
        validate(
            {name: value}, only, raise_on_error=True, ignore_required=True, preprocess=preprocess
        )
    except ValidationError as error:
        return str(error)
    return ""
