"""The tags of jobs, which Glue keeps apart from their definitions: UpdateJob has none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from flinkglue.glue.api.boto3_clients import account_of, boto3_clients
from flinkglue.glue.definition.shown_values import shown_value
from flinkglue.glue.errors import translated
from flinkglue.lifecycle.differences import UNSET, Difference

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_glue.client import GlueClient as Boto3GlueClient

Tags = Mapping[str, str | None]
"""What a definition says of tags: those that it names; None removes one, others stay."""


class JobTags:
    """The tags of the jobs of one account and region.

    Args:
        account_id: Reads the account, for the names of its resources: a job that is created has its
            tags without it.
    """

    def __init__(self, glue: Boto3GlueClient, account_id: Callable[[], str]) -> None:
        self._glue = glue
        self._account_id = cache(account_id)

    @classmethod
    def connect(
        cls, session: boto3.Session, client_parameters: Mapping[str, Any] | None = None
    ) -> JobTags:
        """Those of the account that the credentials belong to."""
        glue = boto3_clients(session, client_parameters).glue
        return cls(glue, lambda: account_of(session, client_parameters))

    def read(self, job_name: str) -> Mapping[str, str]:
        """The job's tags. https://docs.aws.amazon.com/glue/latest/webapi/API_GetTags.html

        Raises:
            CallFailed: Glue refused or did not answer, or STS did not return the account.
        """
        arn = self._arn(job_name)
        with translated("AWS Glue", "GetTags", f"job {job_name}"):
            return self._glue.get_tags(ResourceArn=arn)["Tags"]

    def write(self, job_name: str, tags: Tags) -> None:
        """Set tags of the job, and remove those that are None; others stay. Safe to repeat.

        https://docs.aws.amazon.com/glue/latest/webapi/API_TagResource.html
        https://docs.aws.amazon.com/glue/latest/webapi/API_UntagResource.html
        """
        arn, resource = self._arn(job_name), f"job {job_name}"
        if given := {name: value for name, value in tags.items() if value is not None}:
            with translated("AWS Glue", "TagResource", resource):
                self._glue.tag_resource(ResourceArn=arn, TagsToAdd=given)
        if removed := [name for name, value in tags.items() if value is None]:
            with translated("AWS Glue", "UntagResource", resource):
                self._glue.untag_resource(ResourceArn=arn, TagsToRemove=removed)

    def _arn(self, job_name: str) -> str:
        meta = self._glue.meta
        return f"arn:{meta.partition}:glue:{meta.region_name}:{self._account_id()}:job/{job_name}"


def changed_tags(before: Mapping[str, str], defined: Tags) -> dict[str, str | None]:
    """The tags to write: those that differ."""
    return {name: value for name, value in defined.items() if before.get(name) != value}


def tag_differences(before: Mapping[str, str], changed: Tags) -> tuple[Difference, ...]:
    """Tags that are to be written, as people read them."""
    return tuple(
        Difference(f"Tags.{name}", _shown(name, before.get(name)), _shown(name, value))
        for name, value in sorted(changed.items())
    )


def _shown(name: str, value: str | None) -> str:
    return UNSET if value is None else shown_value(name, value)
