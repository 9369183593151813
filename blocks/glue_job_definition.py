"""A Glue job as code, kept in a block: for deployments that have no checkout beside them."""

from __future__ import annotations

from typing import Any

from prefect.blocks.core import Block
from pydantic import Field, HttpUrl

from flinkglue.blocks.hidden_input import HiddenInput
from flinkglue.form_types import FilePath, Name, StorageAddress
from flinkglue.glue.inputs import AccountId


class GlueJobDefinition(HiddenInput, Block):
    """What a Glue job should be, and the script that it runs.

    Example:
        ```python
        from flinkglue.blocks.glue_job_definition import GlueJobDefinition

        GlueJobDefinition(
            definition={
                "Name": "orders",
                "Role": "GlueJobRole",
                "Command": {"Name": "glueetl"},
                "GlueVersion": "5.0",
                "WorkerType": "G.1X",
                "NumberOfWorkers": 4,
            },
            script="jobs/orders.py",
            script_prefix="s3://my-bucket/scripts",
        ).save("orders")
        ```
    """

    _block_type_name = "Glue Job Definition"
    _block_type_slug = "glue-job-definition"
    _logo_url = HttpUrl(
        "https://cdn.sanity.io/images/3ugk85nk/production/"
        "d74b16fe84ce626345adf235a47008fea2869a60-225x225.png"
    )
    _documentation_url = HttpUrl(
        "https://docs.aws.amazon.com/glue/latest/webapi/API_CreateJob.html"
    )

    definition: dict[str, Any] = Field(
        description="Name and the settings to keep, by the names of Glue's CreateJob. Settings "
        "that are left out stay as they are; null removes one. No secrets: Glue shows them.",
    )
    script: FilePath | None = Field(
        default=None,
        description="The script to upload: a path, relative to the working directory of the run. "
        "Empty: the definition's Command.ScriptLocation.",
    )
    script_prefix: StorageAddress | None = Field(
        default=None, description="Where scripts are kept, for example s3://my-bucket/scripts."
    )
    script_bucket_owner: AccountId | None = Field(
        default=None,
        description="The account that owns this bucket, 12 digits. Empty: that of the credentials.",
    )


GlueJobDefinitionChoice = GlueJobDefinition | Name
"""A saved Glue Job Definition block, or its name."""
