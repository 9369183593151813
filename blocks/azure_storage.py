"""A storage account's sync client; the Azure Blob Storage Credentials block gives async ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient
    from prefect_azure import AzureBlobStorageCredentials


def blob_service_client(credentials: AzureBlobStorageCredentials) -> BlobServiceClient:
    """The account that the block describes, signed in the way the block says."""
    from azure.storage.blob import BlobServiceClient

    from flinkglue.azure.identity import credential
    from flinkglue.azure.models import ServicePrincipal

    if credentials.connection_string is not None:
        return BlobServiceClient.from_connection_string(
            credentials.connection_string.get_secret_value()
        )
    principal = None
    if credentials.client_secret is not None:
        principal = ServicePrincipal(
            tenant_id=str(credentials.tenant_id),
            client_id=str(credentials.client_id),
            client_secret=credentials.client_secret,
        )
    return BlobServiceClient(str(credentials.account_url), credential=credential(principal))


def storage_of(name: str) -> AzureBlobStorageCredentials:
    """The saved block of that name.

    Raises:
        InvalidInput: There is none; the error lists those that exist.
    """
    # Imported here because the integration imports every Azure SDK it could need.
    from prefect_azure import AzureBlobStorageCredentials

    from blocks.loading import block_of

    return block_of(AzureBlobStorageCredentials, "storage_block", name)
