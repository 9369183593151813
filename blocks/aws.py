"""The AWS account that a flow works in: prefect-aws's own block, chosen in the form or by name."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Annotated, Any

import boto3
from pydantic import GetJsonSchemaHandler

from flinkglue.blocks.aws_credentials import AwsCredentials
from flinkglue.form_types import Matched
from flinkglue.glue.errors import translated
from flinkglue.glue.models import JobPlace
from flinkglue.prefect.names import USUAL_CREDENTIALS


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


def own_region(block: AwsCredentials) -> str | None:
    """The region of a block's session: the block's, or else the one that boto3 takes by default.

    The session of a role has nothing of the block's profile (`AwsCredentials.get_boto3_session`).

    Raises:
        CallFailed: There is no such profile.
    """
    if block.region_name:
        return block.region_name
    profile = None if block.assume_role_arn else block.profile_name
    with connecting():
        region: str | None = boto3.Session(profile_name=profile).region_name
    return region


def glue_place(block: AwsCredentials, region: str | None) -> JobPlace:
    """Where a block finds a Glue job. Its own region is the same place, filled in or not.

    Args:
        block: As it is loaded; of one that is not saved no name is known.
        region: The region in place of the block's.
    """
    saved_as = block._block_document_name or ""
    name = "" if saved_as == USUAL_CREDENTIALS else saved_as
    in_region = f"{name} {region}".lstrip() if region else name
    place = name if region and region == own_region(block) else in_region
    possible = dict.fromkeys((place, in_region, name, ""))
    return JobPlace(place, tuple(each for each in possible if each != place))


def connecting() -> AbstractContextManager[None]:
    """The errors of the SDK, as this project's, while sessions and clients are made of a block."""
    return translated("AWS", "connect", "the AWS Credentials block")
