"""Blocks that somebody filled in wrong in the UI, where nothing checks them, met by flow runs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from prefect.blocks.core import Block
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import BlockDocumentCreate
from prefect.client.schemas.objects import State
from prefect_azure import AzureBlobStorageCredentials

from flinkglue.blocks.azure_sign_in import EntraServicePrincipal
from flinkglue.blocks.flink import FlinkRestCluster
from flows.flink_watch import flink_watch
from flows.upload_flink_jar import upload_flink_jar_flow
from tests.harness.flow_logs import logs_of
from tests.stored_results import searchable

CANARY = "canary7f3a90"
IN_ADDRESS = "canary1b2c3d"
WRONG_URL = {"url": f"https://flows:{IN_ADDRESS}@flink.example.com"}
BAD_TOKEN = {
    "url": "https://flink.example.com",
    "sign_in": "bearer",
    "token": f"{CANARY}\nx",
    "timeout_seconds": -1,
}
NO_SIGN_IN = {"url": "http://flink.example.com", "sign_in": "bearer", "token": CANARY}


def filled_in(client: SyncPrefectClient, kind: type[Block], name: str, **data: Any) -> str:
    """Saved as the UI does it, which knows no more than the form."""
    kind.register_type_and_schema()
    block = BlockDocumentCreate(
        name=name,
        data=data,
        block_type_id=kind._block_type_id,
        block_schema_id=kind._block_schema_id,
    )
    return str(client.create_block_document(block).id)


def printed_of(state: State[Any], caplog: pytest.LogCaptureFixture) -> str:
    """The state's message, the log on the server, and what the process printed."""
    lines = logs_of(state.state_details.flow_run_id)
    return "\n".join([state.message or "", *lines, caplog.text])


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("wrong-url", WRONG_URL, "url: Value error, it is not accepted"),
        ("bad-token", BAD_TOKEN, "token: Value error, give one line"),
        ("no-sign-in", NO_SIGN_IN, "url: must be https:// for the sign-in bearer"),
    ],
)
def test_a_run_names_the_wrong_field_and_repeats_nothing(
    prefect_files: list[Path],
    caplog: pytest.LogCaptureFixture,
    name: str,
    data: dict[str, Any],
    told: str,
) -> None:
    """Named in the parameters, and chosen in the form; also in results and in the database."""
    with get_client(sync_client=True) as client:
        block_id = filled_in(client, FlinkRestCluster, name, **data)
    named = flink_watch(["orders"], cluster=f"flink-rest-cluster/{name}", return_state=True)
    assert named.is_failed()
    assert told in (named.message or "")
    assert (named.message or "").startswith("cluster: ")
    assert (named.message or "").endswith("[InvalidInput]")
    chosen = flink_watch(
        ["orders"], cluster={"$ref": {"block_document_id": block_id}}, return_state=True
    )
    assert chosen.is_failed()
    printed = printed_of(named, caplog) + printed_of(chosen, caplog)
    assert told.partition("value")[0] in printed
    assert not {each for each in (CANARY, IN_ADDRESS) if each in printed}
    time.sleep(1)  # events are written behind one's back
    written = [path for place in prefect_files for path in place.rglob("*") if path.is_file()]
    texts = {path.name: searchable(path.read_bytes()) for path in written}
    found = [
        (name, text[max(0, place - 200) : place + 100])
        for name, text in texts.items()
        for place in [text.find(CANARY.encode())]
        if place >= 0
    ]
    # Prefect's own event of a saved block has the fields that are no secrets, the address as well.
    assert found == []


def test_a_block_of_another_package_is_told_of_in_the_same_way(
    prefect_files: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its own errors show all fields."""
    jar = tmp_path / "orders.jar"
    jar.write_bytes(b"PK")
    with get_client(sync_client=True) as client:
        filled_in(
            client,
            AzureBlobStorageCredentials,
            "wrong-storage",
            client_id=CANARY,
            client_secret=CANARY,
        )
    state = upload_flink_jar_flow(
        str(jar),
        "abfs://jars@account.dfs.core.windows.net",
        storage_block="wrong-storage",
        return_state=True,
    )
    assert (state.message or "").startswith("storage_block: 'azure-blob-storage-credentials")
    assert CANARY not in printed_of(state, caplog)


def test_a_block_in_a_block_hides_as_well(prefect_files: list[Path]) -> None:
    """The reader of a vault is a block of its own."""
    EntraServicePrincipal.register_type_and_schema()
    with pytest.raises(ValueError, match="client_secret") as refused:
        EntraServicePrincipal.model_validate({"client_secret": CANARY, "tenant_id": ""})
    assert CANARY not in f"{refused.value!r}"
