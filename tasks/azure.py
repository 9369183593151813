"""Azure tasks: sign in, upload a jar."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

from flinkglue.azure.models import AccessToken
from flinkglue.azure.storage.abfs import AbfsUri
from flinkglue.blocks.azure import HDInsightFlinkCluster
from flinkglue.blocks.azure_storage import blob_service_client
from flinkglue.errors import InvalidInput
from flinkglue.markdown import text
from flinkglue.prefect.run_log import run_log
from flinkglue.prefect.steps import step

if TYPE_CHECKING:
    from prefect_azure import AzureBlobStorageCredentials

    from flinkglue.azure.storage.blobs import Progress


@step(task_run_name="sign in for {cluster.cluster_name}", retry_after=[2, 10])
def get_token(cluster: HDInsightFlinkCluster) -> AccessToken:
    """Sign in for the cluster's ARM endpoint, with the secret as it is now.

    The token is kept nowhere.

    Raises:
        AuthenticationFailed: Entra ID refused.
        CallFailed: Key Vault or Entra ID refused, or did not answer.
    """
    token = cluster.get_token()
    run_log().info(
        "Signed in as %s, until %s", token.client_id or "the default identity", token.expires_on
    )
    return token


@step(
    task_run_name="upload {jar_path.name} to {jar_directory}",
    retry_after=[2, 10],  # the same content at the same place: harmless to repeat
)
def upload_flink_jar(
    storage: AzureBlobStorageCredentials, jar_path: Path, jar_directory: AbfsUri, jar_name: str
) -> str:
    """Upload a jar to a directory of the storage account, unless it exists already.

    Returns:
        The jar's abfs URI.

    Raises:
        InvalidInput: The file is no jar, or the directory lies in another storage account.
        CallFailed: Blob storage refused, or did not answer.
    """
    from flinkglue.azure.storage.blobs import upload_jar

    there = jar_directory.child(jar_name)
    with blob_service_client(storage) as service:
        if service.account_name != there.account:
            raise InvalidInput(
                "jar_directory",
                str(jar_directory),
                f"a directory in the storage account of the block, {service.account_name}",
            )
        progress = _progress(jar_name)
        jar = upload_jar(service, jar_path, there.container, there.path, progress)
    progress(jar.size, jar.size)
    verb = "exists already" if jar.was_there else "uploaded"
    run_log().info("%s %s: %d bytes, sha256 %s", there, verb, jar.size, jar.sha256)
    return str(there)


def _progress(jar_name: str) -> Progress:
    artifact_id = create_progress_artifact(0.0, description=text(f"Upload of {jar_name}"))
    assert isinstance(artifact_id, UUID), "outside of async code Prefect returns the id itself"

    def emit(sent: int, total: int | None) -> None:
        update_progress_artifact(artifact_id, progress=100.0 * sent / (total or sent or 1))

    return emit
