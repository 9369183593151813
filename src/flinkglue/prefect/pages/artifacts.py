"""What stands on a flow run's page: one artifact per key; a later text replaces an earlier one."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
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
from flinkglue.prefect.retries import is_another_attempt

_MOST_KNOWN = 2000


class _Known:
    """The ids of artifacts that this process made: replacing one takes a single call."""

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._ids: OrderedDict[tuple[str, str], UUID] = OrderedDict()

    def get(self, flow_run_id: str, key: str) -> UUID | None:
        with self._gate:
            return self._ids.get((flow_run_id, key))

    def others(self, flow_run_id: str, key: str) -> set[UUID]:
        """What a flow run has under other keys than this one."""
        with self._gate:
            known = self._ids.items()
            return {id_ for (run, other), id_ in known if run == flow_run_id and other != key}

    def put(self, flow_run_id: str, key: str, artifact_id: UUID) -> None:
        with self._gate:
            self._ids[flow_run_id, key] = artifact_id
            while len(self._ids) > _MOST_KNOWN:
                self._ids.popitem(last=False)


_known = _Known()


def put_markdown(
    key: str, markdown: str, description: str, earlier_keys: Sequence[str] = ()
) -> None:
    """Show a text under a key of this flow run's page.

    Args:
        earlier_keys: What an earlier version, whose flow run goes on here, called this key. What it
            began is continued, and keeps its key.
    """
    if not _replaced([key, *earlier_keys], ArtifactUpdate(data=markdown, description=description)):
        _note(key, create_markdown_artifact(markdown, key=key, description=description))


def put_link(key: str, url: str, link_text: str) -> None:
    """Show a link under a key of this flow run's page."""
    if not _replaced([key], ArtifactUpdate(data=link(link_text, url))):
        _note(key, create_link_artifact(url, link_text=text(link_text), key=key))


def replace_markdown(
    flow_run_id: UUID,
    key: str,
    markdown: str,
    description: str,
    earlier_keys: Sequence[str] = (),
) -> bool:
    """Replace what the page of a flow run that does not run here has under a key; False: nothing.

    Args:
        earlier_keys: What earlier versions called this key.
    """
    found = _known.get(str(flow_run_id), key) or _found(str(flow_run_id), [key, *earlier_keys])
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


def _replaced(keys: Sequence[str], update: ArtifactUpdate) -> bool:
    flow_run_id = str(runtime.flow_run.id)
    found = _known.get(flow_run_id, keys[0])
    if found is None and is_another_attempt():  # an earlier process may have it
        found = _found(flow_run_id, keys)
    return found is not None and _updated(found, update)


def _found(flow_run_id: str, keys: Sequence[str]) -> UUID | None:
    """What the page has under the first of these keys that it has, known as the first from now."""
    of_keys = ArtifactFilter(
        flow_run_id=ArtifactFilterFlowRunId(any_=[UUID(flow_run_id)]),
        key=ArtifactFilterKey(any_=list(keys)),
    )
    with get_client(sync_client=True) as client:
        found_ones = client.read_artifacts(artifact_filter=of_keys)
    others = _known.others(flow_run_id, keys[0])  # they are of another job, not of earlier keys
    there = [each for each in found_ones if each.id not in others]
    if not there:
        return None
    found = min(there, key=lambda each: keys.index(str(each.key))).id
    _known.put(flow_run_id, keys[0], found)
    return found


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
