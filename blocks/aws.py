"""The AWS account that a flow works in: prefect-aws's own block, chosen in the form or by name."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import GetJsonSchemaHandler

from flinkglue.blocks.aws_credentials import AwsCredentials
from flinkglue.form_types import Matched


class _NoOtherFields:
    """Closes the block's schema, so that a reference to a saved block is not taken for a block.

    A run's parameter has to be either a block or a reference to one, not both. No field of
    AwsCredentials is required and others are allowed, so a reference would be both, and Prefect's
    server would refuse every block that is chosen in the form.
    """

    def __get_pydantic_json_schema__(
        self, core_schema: Any, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        json_schema = handler(core_schema)
        handler.resolve_ref_schema(json_schema)["additionalProperties"] = False
        return json_schema


AwsCredentialsChoice = Annotated[AwsCredentials, _NoOtherFields()] | str
"""A saved AWS Credentials block, or its name."""

AwsRegion = Annotated[
    str, Matched(r"^([a-z]{2,}(-[a-z]+)+-[0-9]+)?$", "a region by its code, for example eu-west-1")
]
"""A region by its code, for example eu-west-1; empty, as a form may send it, is the block's."""
