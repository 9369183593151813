"""The directory of Entra ID: applications, their secrets, and what a sign-in is refused with."""

from __future__ import annotations

import hmac
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from localcloud.azure.seed import AzureSeed

MANAGEMENT = "https://management.azure.com"
VAULT = "https://vault.azure.net"
STORAGE = "https://storage.azure.com"
CLUSTERS = "https://hilo.azurehdinsight.net"
"""The web addresses of clusters of HDInsight on AKS."""
RESOURCES = (MANAGEMENT, VAULT, STORAGE, CLUSTERS)
"""The resources that tokens are issued for, each with or without a slash at its end."""

_DEFAULT_SCOPE = "/.default"


class SignInRefused(Exception):
    """Entra ID refuses a sign-in.

    Args:
        status: The HTTP status.
        error: The OAuth 2.0 error, for example ``invalid_client``.
        code: The number behind ``AADSTS``.
        message: What follows it.
    """

    def __init__(self, status: int, error: str, code: int, message: str) -> None:
        self.status = status
        self.error = error
        self.code = code
        self.message = message
        super().__init__(f"AADSTS{code}: {message}")


@dataclass
class ClientSecret:
    """One secret of an application; it can be used until it expires."""

    value: str
    expires_at: float = float("inf")


@dataclass
class Application:
    """A registered application and its service principal."""

    client_id: str
    object_id: str
    display_name: str
    secrets: list[ClientSecret] = field(default_factory=list)


class Directory:
    """The one tenant and its applications.

    Args:
        seed: The tenant and the applications that it starts with.
        now: The time in seconds since the epoch.
    """

    def __init__(self, seed: AzureSeed, now: Callable[[], float] = time.time) -> None:
        self.tenant_id = seed.tenant_id
        self._now = now
        self._lock = threading.Lock()
        self._applications = {
            principal.client_id: Application(
                principal.client_id,
                principal.object_id,
                principal.display_name,
                [ClientSecret(principal.client_secret)],
            )
            for principal in seed.principals
        }

    def replace_secrets(self, client_id: str, value: str) -> None:
        """From now on this application signs in with this secret, and with no older one."""
        with self._lock:
            self._applications[client_id].secrets = [ClientSecret(value)]

    def expire_secrets(self, client_id: str) -> None:
        """Let all present secrets of the application run out now.

        Raises:
            ValueError: There is no such application.
        """
        with self._lock:
            if client_id not in self._applications:
                known = ", ".join(self._applications)
                raise ValueError(f"client_id: {client_id!r} is not accepted. Allowed: {known}")
            for secret in self._applications[client_id].secrets:
                secret.expires_at = self._now()

    def renew_secrets(self) -> None:
        """No present secret runs out any more."""
        with self._lock:
            for application in self._applications.values():
                for secret in application.secrets:
                    secret.expires_at = float("inf")

    def check_tenant(self, tenant: str) -> None:
        """Refuse a tenant that is not ours.

        Raises:
            SignInRefused: AADSTS90002.
        """
        if tenant.lower() != self.tenant_id:
            raise SignInRefused(
                400,
                "invalid_request",
                90002,
                f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID "
                "and are signing into the correct cloud. Check with your subscription "
                "administrator, this may happen if there are no active subscriptions for the "
                "tenant.",
            )

    def sign_in(self, tenant: str, form: Mapping[str, str]) -> tuple[Application, str]:
        """The application behind a client-credentials request, and the audience it asks for.

        Raises:
            SignInRefused: In the words of Entra ID.
        """
        self.check_tenant(tenant)
        for parameter in ("grant_type", "client_id"):
            if not form.get(parameter):
                raise SignInRefused(
                    400,
                    "invalid_request",
                    900144,
                    f"The request body must contain the following parameter: '{parameter}'.",
                )
        if form["grant_type"] != "client_credentials":
            raise SignInRefused(
                400,
                "unsupported_grant_type",
                70003,
                f"The app requested an unsupported grant type '{form['grant_type']}'.",
            )
        application = self._application(form["client_id"])
        self._check_secret(application, form.get("client_secret", ""))
        return application, _audience(form.get("scope", ""), self.tenant_id)

    def _application(self, client_id: str) -> Application:
        with self._lock:
            application = self._applications.get(client_id.lower())
        if application is None:
            raise SignInRefused(
                400,
                "unauthorized_client",
                700016,
                f"Application with identifier '{client_id}' was not found in the directory "
                f"'{self.tenant_id}'. This can happen if the application has not been installed by "
                "the administrator of the tenant or consented to by any user in the tenant. You "
                "may have sent your authentication request to the wrong tenant.",
            )
        return application

    def _check_secret(self, application: Application, presented: str) -> None:
        if not presented:
            raise SignInRefused(
                401,
                "invalid_client",
                7000216,
                "'client_assertion', 'client_secret' or 'request' is required for the "
                "'client_credentials' grant type.",
            )
        with self._lock:
            matching = [
                secret
                for secret in application.secrets
                if hmac.compare_digest(secret.value.encode(), presented.encode())
            ]
        if not matching:
            raise SignInRefused(
                401,
                "invalid_client",
                7000215,
                "Invalid client secret provided. Ensure the secret being sent in the request is "
                "the client secret value, not the client secret ID, for a secret added to app "
                f"'{application.client_id}'.",
            )
        if all(secret.expires_at <= self._now() for secret in matching):
            raise SignInRefused(
                401,
                "invalid_client",
                7000222,
                f"The provided client secret keys for app '{application.client_id}' are expired. "
                "Visit the Azure portal to create new keys for your app: "
                "https://aka.ms/NewClientSecret, or consider using certificate credentials for "
                "added security: https://aka.ms/certCreds.",
            )


def _audience(scope: str, tenant_id: str) -> str:
    if not scope.strip():
        raise SignInRefused(
            400,
            "invalid_request",
            900144,
            "The request body must contain the following parameter: 'scope'.",
        )
    if len(scope.split()) != 1 or "://" not in scope:
        raise SignInRefused(
            400,
            "invalid_scope",
            70011,
            "The provided request must include a 'scope' input parameter. The provided value for "
            f"the input parameter 'scope' is not valid. The scope {scope} is not valid.",
        )
    resource, suffix = scope[: -len(_DEFAULT_SCOPE)], scope[-len(_DEFAULT_SCOPE) :]
    if suffix != _DEFAULT_SCOPE:
        raise SignInRefused(
            400,
            "invalid_scope",
            1002012,
            f"The provided value for scope {scope} is not valid. Client credential flows must have "
            "a scope value with /.default suffixed to the resource identifier (application ID "
            "URI).",
        )
    if resource.removesuffix("/") not in RESOURCES:
        raise SignInRefused(
            400,
            "invalid_resource",
            500011,
            f"The resource principal named {resource} was not found in the tenant named "
            f"{tenant_id}. This can happen if the application has not been installed by the "
            "administrator of the tenant or consented to by any user in the tenant. You might have "
            "sent your authentication request to the wrong tenant.",
        )
    return resource
