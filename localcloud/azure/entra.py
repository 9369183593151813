"""Entra ID: discovery, signing keys, and tokens for client credentials."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.azure.authority import LocalAuthority
from localcloud.azure.directory import Directory, SignInRefused
from localcloud.azure.seed import AzureSeed
from localcloud.azure.timings import AzureTimings
from localcloud.azure.tls_part import TlsPart
from localcloud.azure.tokens import TokenAuthority
from localcloud.config import CloudConfig
from localcloud.web.wire import AsgiApp, AsgiWire, Fault, Scope, Wire, request_detail

OPERATIONS = {
    "InstanceDiscovery": "GET /common/discovery/instance: names this authority and no other.",
    "OpenIdConfiguration": "GET /{tenant}/v2.0/.well-known/openid-configuration.",
    "Keys": "GET /{tenant}/discovery/v2.0/keys: the key that signs the tokens.",
    "Token": "POST /{tenant}/oauth2/v2.0/token: client credentials; tokens of version 1.0 for "
    "management.azure.com, vault.azure.net, storage.azure.com and hilo.azurehdinsight.net, the web "
    "addresses of clusters.",
}


class EntraPart(TlsPart):
    """Entra ID for one tenant.

    Args:
        config: Port.
        wire: Log and faults.
        authority: The certificate.
        seed: Tenant and principals, for ``status``.
        directory: The applications.
        tokens: Issues the tokens.
        timings: The tokens' lifetime.
    """

    def __init__(
        self,
        config: CloudConfig,
        wire: Wire,
        authority: LocalAuthority,
        seed: AzureSeed,
        directory: Directory,
        tokens: TokenAuthority,
        timings: AzureTimings,
    ) -> None:
        super().__init__("entra", entra_app(directory, tokens, wire), config, authority, OPERATIONS)
        self._authority = authority
        self._seed = seed
        self._directory = directory
        self._tokens = tokens
        self._timings = timings

    def details(self) -> dict[str, Any]:
        """The tenant and how its principals sign in."""
        seed = self._seed
        return {
            "ca_file": str(self._authority.ca_file),
            "accounts": {
                "azure": {
                    "tenant_id": seed.tenant_id,
                    "authority": self.url(),
                    "reader": {
                        "client_id": seed.reader.client_id,
                        "client_secret": seed.reader.client_secret,
                    },
                    "administrator": {
                        "client_id": seed.administrator.client_id,
                        "client_secret": seed.administrator.client_secret,
                    },
                    "contributor": {"client_id": seed.contributor.client_id},
                }
            },
        }

    def left_out(self) -> list[str]:
        """What this Entra ID does not do."""
        return [
            "Only the client-credentials grant with a client secret: no users, certificates, "
            "federated or managed identities, and no endpoint of version 1.",
            "No registration of applications over the network; a restart restores the initial "
            "secrets of the account.",
            "Clients must switch instance discovery off: they would ask the public cloud about an "
            "authority that they do not know.",
        ]

    def fault_commands(self) -> Mapping[str, Callable[..., Any]]:
        """Expire tokens and secrets, and set how long tokens are good."""
        return {
            "expire-tokens": self.expire_tokens,
            "expire-client-secrets": self.expire_client_secrets,
            "token-lifetime": self.token_lifetime,
        }

    def reset(self) -> None:
        """Expired client secrets are good again, and tokens as long as at first."""
        self._directory.renew_secrets()
        self._timings.restore()

    def expire_tokens(self) -> dict[str, int]:
        """All tokens issued until now are refused as expired from now on."""
        return {"expired": self._tokens.expire_all()}

    def expire_client_secrets(self, client_id: str) -> dict[str, str]:
        """The application's present secrets run out now (AADSTS7000222)."""
        self._directory.expire_secrets(client_id)
        return {"client_id": client_id}

    def token_lifetime(self, seconds: float) -> dict[str, float]:
        """Tokens issued from now on are good for so many seconds."""
        self._timings.change(token_lifetime_seconds=seconds)
        return {"token_lifetime_seconds": seconds}


def entra_app(directory: Directory, tokens: TokenAuthority, wire: Wire) -> AsgiApp:
    """The application behind the authority's address."""
    endpoints = _Endpoints(directory, tokens)
    app = Starlette(
        routes=[
            Route("/common/discovery/instance", endpoints.instance_discovery),
            Route(
                "/{tenant}/v2.0/.well-known/openid-configuration", endpoints.openid_configuration
            ),
            Route("/{tenant}/discovery/v2.0/keys", endpoints.keys),
            Route("/{tenant}/oauth2/v2.0/token", endpoints.token, methods=["POST"]),
        ],
        exception_handlers={SignInRefused: _refused},  # type: ignore[dict-item]
    )
    return AsgiWire(app, wire, "entra", _operation_name, _injected)


class _Endpoints:
    def __init__(self, directory: Directory, tokens: TokenAuthority) -> None:
        self._directory = directory
        self._tokens = tokens

    async def instance_discovery(self, request: Request) -> Response:
        host = request.url.netloc
        tenant = self._directory.tenant_id
        return JSONResponse(
            {
                "tenant_discovery_endpoint": _authority_url(request)
                + f"/{tenant}/v2.0/.well-known/openid-configuration",
                "api-version": "1.1",
                "metadata": [
                    {"preferred_network": host, "preferred_cache": host, "aliases": [host]}
                ],
            }
        )

    async def openid_configuration(self, request: Request) -> Response:
        tenant = request.path_params["tenant"]
        self._directory.check_tenant(tenant)
        base = f"{_authority_url(request)}/{tenant}"
        return JSONResponse(
            {
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
                "response_modes_supported": ["query", "fragment", "form_post"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
                "issuer": f"{base}/v2.0",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
                "end_session_endpoint": f"{base}/oauth2/v2.0/logout",
                "tenant_region_scope": "NA",
                "cloud_instance_name": request.url.netloc,
            }
        )

    async def keys(self, request: Request) -> Response:
        self._directory.check_tenant(request.path_params["tenant"])
        return JSONResponse(self._tokens.key_set())

    async def token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        detail = request_detail(request.scope)
        detail.update(client_id=form.get("client_id"), scope=form.get("scope"))
        application, audience = self._directory.sign_in(request.path_params["tenant"], form)
        access_token, seconds = self._tokens.issue(
            application.client_id, application.object_id, audience
        )
        return JSONResponse(
            {
                "token_type": "Bearer",
                "expires_in": seconds,
                "ext_expires_in": seconds,
                "access_token": access_token,
            },
            headers={"Cache-Control": "no-store, no-cache", "x-ms-request-id": str(uuid.uuid4())},
        )


def _authority_url(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}"


async def _refused(request: Request, refused: SignInRefused) -> Response:
    return _refusal(
        refused, f"{_authority_url(request)}/error", request.headers.get("client-request-id")
    )


def _refusal(refused: SignInRefused, error_page: str, client_request_id: str | None) -> Response:
    trace_id = str(uuid.uuid4())
    correlation_id = client_request_id or str(uuid.uuid4())
    timestamp = datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    description = (
        f"{refused} Trace ID: {trace_id} Correlation ID: {correlation_id} Timestamp: {timestamp}"
    )
    return JSONResponse(
        {
            "error": refused.error,
            "error_description": description,
            "error_codes": [refused.code],
            "timestamp": timestamp,
            "trace_id": trace_id,
            "correlation_id": correlation_id,
            "error_uri": f"{error_page}?code={refused.code}",
        },
        status_code=refused.status,
        headers={"Cache-Control": "no-store, no-cache", "x-ms-request-id": trace_id},
    )


def _injected(fault: Fault, scope: Scope) -> AsgiApp:
    """A fault in the words of Entra ID: AADSTS90055 is its throttling, AADSTS90033 its outage."""
    code = 90055 if fault.kind == "throttle" else 90033
    refused = SignInRefused(fault.status, "temporarily_unavailable", code, fault.message)
    return _refusal(refused, "https://login.microsoftonline.com/error", None)


def _operation_name(scope: Scope) -> str:
    path: str = scope["path"]
    if path.endswith("/token"):
        return "Token"
    if path.endswith("/keys"):
        return "Keys"
    if path.endswith("/openid-configuration"):
        return "OpenIdConfiguration"
    return "InstanceDiscovery" if path.endswith("/instance") else "Unknown"
