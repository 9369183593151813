"""What a person fills in about who signs in to Azure."""

from __future__ import annotations

from prefect.blocks.core import Block
from pydantic import Field, HttpUrl

from flinkglue.azure.inputs import ClientId, SecretPrefix, TenantId
from flinkglue.azure.models import PUBLIC_AUTHORITY, AccessToken, ServicePrincipal
from flinkglue.blocks.hidden_input import HiddenInput
from flinkglue.form_types import FilePath, OptionalSecret, ServiceUrl

AZURE_LOGO = HttpUrl(
    "https://cdn.sanity.io/images/3ugk85nk/production/"
    "54e3fa7e00197a4fbd1d82ed62494cb58d08c96a-250x250.png"
)


class EntraServicePrincipal(HiddenInput, Block):
    """An application in Entra ID that signs in with a secret, or the platform's own identity.

    Example:
        ```python
        from flinkglue.blocks.azure_sign_in import EntraServicePrincipal

        reader = EntraServicePrincipal.load("key-vault-reader")
        token = reader.get_token("https://vault.azure.net/.default")
        ```
    """

    _block_type_name = "Entra Service Principal"
    _block_type_slug = "entra-service-principal"
    _logo_url = AZURE_LOGO
    _documentation_url = HttpUrl(
        "https://learn.microsoft.com/entra/identity-platform/app-objects-and-service-principals"
    )

    tenant_id: TenantId | None = Field(
        default=None,
        title="Tenant ID",
        description="The Entra ID tenant of the application. Needed with a client secret.",
        examples=["72f988bf-86f1-41af-91ab-2d7cd011db47"],
    )
    client_id: ClientId | None = Field(
        default=None,
        title="Client ID",
        description="The application (client) ID. Needed with a client secret.",
        examples=["11111111-2222-3333-4444-555555555555"],
    )
    client_secret: OptionalSecret = Field(
        default=None,
        title="Client secret",
        description="Leave it empty to sign in as the platform's own identity: managed identity, "
        "workload identity, environment variables or the Azure CLI.",
        examples=["the secret's value, not its ID"],
    )
    authority: ServiceUrl = Field(
        default=PUBLIC_AUTHORITY,
        title="Authority",
        description="Entra ID's address. Sovereign clouds have their own.",
        examples=[PUBLIC_AUTHORITY, "https://login.microsoftonline.us"],
    )
    ca_file: FilePath | None = Field(
        default=None,
        title="CA file",
        description="A PEM file of certificates to trust instead of the platform's own.",
        examples=["/etc/ssl/certs/company-ca.pem"],
    )

    def _check_together(self) -> None:
        if self.client_secret is not None and not (self.tenant_id and self.client_id):
            raise ValueError("client_secret: needs tenant_id and client_id too")

    def get_principal(self) -> ServicePrincipal | None:
        """Who signs in; None for the platform's own identity."""
        if self.client_secret is None or self.tenant_id is None or self.client_id is None:
            return None
        return ServicePrincipal(
            tenant_id=self.tenant_id, client_id=self.client_id, client_secret=self.client_secret
        )

    def get_token(self, scope: str) -> AccessToken:
        """A new bearer token for a scope."""
        from flinkglue.azure.identity import fetch_token

        return fetch_token(
            self.get_principal(), scope, authority=self.authority, ca_file=self.ca_file
        )


class KeyVaultServicePrincipal(HiddenInput, Block):
    """A service principal that is kept in Key Vault and read again for every token.

    Example:
        ```python
        from flinkglue.blocks.azure_sign_in import KeyVaultServicePrincipal

        principal = KeyVaultServicePrincipal.load("flink-contributor")
        token = principal.get_token("https://management.azure.com/.default")
        ```
    """

    _block_type_name = "Key Vault Service Principal"
    _block_type_slug = "key-vault-service-principal"
    _logo_url = AZURE_LOGO
    _documentation_url = HttpUrl(
        "https://learn.microsoft.com/azure/key-vault/secrets/about-secrets"
    )

    vault_url: ServiceUrl = Field(
        title="Vault URL",
        description="The vault that holds the three secrets.",
        examples=["https://my-vault.vault.azure.net"],
    )
    secret_prefix: SecretPrefix = Field(
        default="hdinsight-aks-variables-",
        title="Secret prefix",
        description="The prefix of the names api-client-id, api-secret and tenant-id.",
        examples=["hdinsight-aks-variables-"],
    )
    reader: EntraServicePrincipal = Field(
        title="Reader",
        description="Who reads the secrets; needs only the permission to get them. What is read "
        "signs in at the same authority, with the same CA file.",
        examples=["key-vault-reader"],
    )

    def get_principal(self) -> ServicePrincipal:
        """The principal as Key Vault has it at this moment."""
        from flinkglue.azure.identity import credential
        from flinkglue.azure.key_vault import read_service_principal

        with credential(
            self.reader.get_principal(),
            authority=self.reader.authority,
            ca_file=self.reader.ca_file,
        ) as reader:
            return read_service_principal(
                self.vault_url, self.secret_prefix, reader, ca_file=self.reader.ca_file
            )

    def get_token(self, scope: str) -> AccessToken:
        """A new bearer token for a scope, with the secret as it is now."""
        from flinkglue.azure.identity import fetch_token

        return fetch_token(
            self.get_principal(),
            scope,
            authority=self.reader.authority,
            ca_file=self.reader.ca_file,
        )
