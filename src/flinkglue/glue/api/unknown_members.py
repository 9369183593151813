"""What a service answers and the loaded SDK does not know.

botocore drops such members while it parses. For a definition that is read to be written back that
is a loss, so their names are taken from the raw answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from flinkglue.glue.api.unwritten_fields import UNKNOWN_MEMBERS

if TYPE_CHECKING:
    from mypy_boto3_glue.client import GlueClient as Boto3GlueClient

EVENT = "before-parse.glue.GetJob"
"""https://github.com/boto/botocore/blob/develop/botocore/endpoint.py emits it before it parses."""


def keep_unknown_members(glue: Boto3GlueClient) -> None:
    """Add to each answer of GetJob, as `UNKNOWN_MEMBERS`, what of the job the SDK drops."""
    glue.meta.events.register(EVENT, _note_unknown_members, unique_id="flinkglue-unknown-members")


def unknown_members(shape: Shape, value: Any, path: str = "") -> Iterator[str]:
    """The paths of what is in a value and not in the model; members that are null say nothing."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        for name, member in value.items():
            where = f"{path}.{name}" if path else name
            if member is None:
                continue
            if name not in shape.members:
                yield where
            else:
                yield from unknown_members(shape.members[name], member, where)
    elif isinstance(shape, MapShape) and isinstance(value, dict):
        for key, member in value.items():
            yield from unknown_members(shape.value, member, f"{path}.{key}")
    elif isinstance(shape, ListShape) and isinstance(value, list):
        for place, member in enumerate(value):
            yield from unknown_members(shape.member, member, f"{path}[{place}]")


def _note_unknown_members(
    operation_model: Any, response_dict: Any, customized_response_dict: Any, **_: Any
) -> None:
    if response_dict["status_code"] != 200:
        return
    try:
        job = json.loads(response_dict["body"])["Job"]
    except (ValueError, KeyError, TypeError):
        return  # the SDK's own parser says what is wrong with it
    shape = operation_model.output_shape.members["Job"]
    if unknown := list(unknown_members(shape, job)):
        customized_response_dict[UNKNOWN_MEMBERS] = unknown
