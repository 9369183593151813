"""A storage account's sync client; the Azure Blob Storage Credentials block gives async ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flinkglue.errors import InvalidInput

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient
    from prefect_azure import AzureBlobStorageCredentials


@contextmanager
def blob_service_client(credentials: AzureBlobStorageCredentials) -> Iterator[BlobServiceClient]:
    """The account that the block describes, signed in the way the block says.

    Raises:
        InvalidInput: The connection string is none, or an id is none.
    """
    from azure.storage.blob import BlobServiceClient

    from flinkglue.azure.identity import credential
    from flinkglue.azure.models import ServicePrincipal

    if credentials.connection_string is not None:
        try:
            service = BlobServiceClient.from_connection_string(
                credentials.connection_string.get_secret_value()
            )
        except ValueError as error:
            raise InvalidInput(
                "connection_string",
                credentials.connection_string,  # a secret, which the error does not show
                f"a storage account's connection string as the portal shows it ({error})",
            ) from None
        with service:
            yield service
        return
    principal = None
    if credentials.client_secret is not None:
        principal = ServicePrincipal(
            tenant_id=str(credentials.tenant_id),
            client_id=str(credentials.client_id),
            client_secret=credentials.client_secret,
        )
    with (
        credential(principal) as signed_in,
        BlobServiceClient(str(credentials.account_url), credential=signed_in) as service,
    ):
        yield service


def storage_of(name: str) -> AzureBlobStorageCredentials:
    """The saved block of that name.

    Raises:
        InvalidInput: There is none; the error lists those that exist.
    """
    # Imported here because the integration imports every Azure SDK it could need.
    from prefect_azure import AzureBlobStorageCredentials

    from flinkglue.blocks.loading import block_of

    return block_of(AzureBlobStorageCredentials, "storage_block", name)
