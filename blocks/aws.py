"""The AWS account that a flow works in: prefect-aws's own block, chosen in the form or by name."""

from __future__ import annotations

from typing import Annotated

from prefect_aws import AwsCredentials
from pydantic import WithJsonSchema

# A form offers saved blocks where the schema has `block_type_slug`. The schema that Prefect derives
# from the class would do, but its server then refuses every choice: no field of AwsCredentials is
# required, so a reference also passes as an empty block, and exactly one of both must match.
AwsCredentialsChoice = Annotated[
    AwsCredentials | str,
    WithJsonSchema(
        {
            "anyOf": [
                {
                    "title": "AwsCredentials",
                    "type": "object",
                    "block_type_slug": "aws-credentials",
                    "required": ["$ref"],
                },
                {"title": "Name", "type": "string", "minLength": 1},
            ]
        }
    ),
]
"""A saved AWS Credentials block, or its name."""
