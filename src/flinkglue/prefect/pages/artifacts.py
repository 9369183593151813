"""What stands on a flow run's page: one artifact per key; a later text replaces an earlier one."""

from __future__ import annotations

import threading
from collections import OrderedDict
from uuid import UUID

import httpx
from prefect import runtime
from prefect.artifacts import create_link_artifact, create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    ArtifactFilterKey,
)

from flinkglue.markdown import link, text

_MOST_KNOWN = 2000


class _Known:
    """The ids of artifacts that this process made: replacing one takes a single call."""

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._ids: OrderedDict[tuple[str, str], UUID] = OrderedDict()

    def get(self, flow_run_id: str, key: str) -> UUID | None:
        with self._gate:
            return self._ids.get((flow_run_id, key))

    def put(self, flow_run_id: str, key: str, artifact_id: UUID) -> None:
        with self._gate:
            self._ids[flow_run_id, key] = artifact_id
            while len(self._ids) > _MOST_KNOWN:
                self._ids.popitem(last=False)


_known = _Known()


def put_markdown(key: str, markdown: str, description: str) -> None:
    """Show a text under a key of this flow run's page."""
    if not _replaced(key, ArtifactUpdate(data=markdown, description=description)):
        _note(key, create_markdown_artifact(markdown, key=key, description=description))


def put_link(key: str, url: str, link_text: str) -> None:
    """Show a link under a key of this flow run's page."""
    if not _replaced(key, ArtifactUpdate(data=link(link_text, url))):
        _note(key, create_link_artifact(url, link_text=text(link_text), key=key))


def replace_markdown(flow_run_id: UUID, key: str, markdown: str, description: str) -> bool:
    """Replace what stands on the page of a flow run that does not run here; False: nothing does."""
    found = _known.get(str(flow_run_id), key) or _found(str(flow_run_id), key)
    update = ArtifactUpdate(data=markdown, description=description)
    return found is not None and _updated(found, update)


def publish_markdown(
    key: str, markdown: str, description: str, flow_run_id: UUID | None = None
) -> None:
    """Show the newest text of a page that all flow runs share.

    Args:
        flow_run_id: The flow run that it comes from, where none runs here; None: the one here.
    """
    if flow_run_id is None:
        create_markdown_artifact(markdown, key=key, description=description)
        return
    artifact = ArtifactCreate(
        type="markdown", key=key, description=description, data=markdown, flow_run_id=flow_run_id
    )
    with get_client(sync_client=True) as client:
        client.create_artifact(artifact)


def _note(key: str, made: object) -> None:
    assert isinstance(made, UUID), "outside of async code Prefect returns the id itself"
    if runtime.flow_run.id:
        _known.put(str(runtime.flow_run.id), key, made)


def _replaced(key: str, update: ArtifactUpdate) -> bool:
    flow_run_id = str(runtime.flow_run.id)
    found = _known.get(flow_run_id, key)
    if found is None and (runtime.flow_run.run_count or 1) > 1:  # an earlier process may have it
        found = _found(flow_run_id, key)
    return found is not None and _updated(found, update)


def _found(flow_run_id: str, key: str) -> UUID | None:
    of_key = ArtifactFilter(
        flow_run_id=ArtifactFilterFlowRunId(any_=[UUID(flow_run_id)]),
        key=ArtifactFilterKey(any_=[key]),
    )
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=of_key, limit=1)
    if not found:
        return None
    _known.put(flow_run_id, key, found[0].id)
    return found[0].id


def _updated(artifact_id: UUID, update: ArtifactUpdate) -> bool:
    """False: somebody deleted it."""
    with get_client(sync_client=True) as client:
        try:
            client.update_artifact(artifact_id, update)
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.NOT_FOUND:
                raise
            return False
    return True
