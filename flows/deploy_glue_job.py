"""Deployment glue-job-deploy: a Glue job and its script as code."""

from __future__ import annotations

from typing import Any

from flinkglue.blocks.aws import AwsCredentialsChoice, AwsRegion
from flinkglue.blocks.glue_job_definition import GlueJobDefinition, GlueJobDefinitionChoice
from flinkglue.blocks.loading import block_of
from flinkglue.glue.definition.report import deployment_document, deployment_in_words
from flinkglue.prefect.endings import completed, ends_in_words
from flinkglue.prefect.forms.form_flow import form_flow
from flinkglue.prefect.names import definition_name, named
from flinkglue.tasks.glue import credentials_and_place
from flinkglue.tasks.glue_definition import deploy_glue_job


@form_flow(
    name="glue-job-deploy",
    flow_run_name=named(lambda given: f"deploy {definition_name(given['definition'])}"),
)
@ends_in_words
def deploy_glue_job_flow(
    definition: GlueJobDefinitionChoice,
    dry_run: bool = False,
    allow_lost_settings: bool = False,
    region: AwsRegion | None = None,
    aws_credentials: AwsCredentialsChoice = "aws",
) -> dict[str, Any]:
    """Create a Glue job, or change what differs from its definition.

    A job that is as its definition says is not written. The script is uploaded under a name made of
    its content, so that live runs and a restored definition keep the script that they had. The
    order of the job's connections is left to the runs.

    Args:
        definition: A Glue Job Definition block, or its name. Needs the permission glue:CreateJob
            in addition to those of glue-job; with tags also glue:GetTags, glue:TagResource and
            glue:UntagResource, and for a script
            s3:GetObject and s3:PutObject.
        dry_run: Only show what would change.
        allow_lost_settings: Write also when the job loses what cannot be read of it, such as the
            token of a repository, or settings that the installed boto3 does not know.
        region: The region of the job. Empty: that of the block.
        aws_credentials: The AWS Credentials block with the account and region, or its name.

    Returns:
        What was done, and each setting before and after.

    Raises:
        InvalidInput: The definition or the script cannot be used; nothing was written.
        CallFailed: A service refused a call, or did not answer after several.
    """
    credentials, place = credentials_and_place(aws_credentials, region)
    block = block_of(GlueJobDefinition, "definition", definition)
    deployment = deploy_glue_job(
        credentials,
        block,
        dry_run,
        allow_lost_settings,
        place=place,
    )
    return completed(deployment_document(deployment), deployment_in_words(deployment))
