"""What stands on a flow run's page: one artifact per key; a later text replaces an earlier one."""

from __future__ import annotations

from prefect import runtime
from prefect.artifacts import create_link_artifact, create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    ArtifactFilterKey,
)

from flinkglue.markdown import link, text


def put_markdown(key: str, markdown: str, description: str) -> None:
    """Show a text under a key of this flow run's page."""
    if not _replaced(key, ArtifactUpdate(data=markdown, description=description)):
        create_markdown_artifact(markdown, key=key, description=description)


def put_link(key: str, url: str, link_text: str) -> None:
    """Show a link under a key of this flow run's page."""
    if not _replaced(key, ArtifactUpdate(data=link(link_text, url))):
        create_link_artifact(url, link_text=text(link_text), key=key)


def _replaced(key: str, update: ArtifactUpdate) -> bool:
    of_this_key = ArtifactFilter(
        flow_run_id=ArtifactFilterFlowRunId(any_=[runtime.flow_run.id]),
        key=ArtifactFilterKey(any_=[key]),
    )
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=of_this_key, limit=1)
        if not found:
            return False
        client.update_artifact(found[0].id, update)
        return True
