"""The secrets API of Key Vault: its challenge, its checks, its refusals."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.azure.directory import VAULT
from localcloud.azure.seed import AzureSeed
from localcloud.azure.tokens import Principal, Refusal, TokenAuthority, TokenRefused
from localcloud.azure.vault import SecretVersion, Vault, VaultRefused
from localcloud.web.wire import AsgiApp, AsgiWire, Fault, Scope, Wire, request_detail

_API_VERSION = re.compile(r"7\.\d(-preview(\.\d)?)?|20\d\d-\d\d-\d\d(-preview)?")
_LATEST_API_VERSION = "7.6"
_PAGE_SIZE = 25

OPERATIONS = {
    "GetSecret": "GET /secrets/{name}/{version}: the newest version when none is named.",
    "SetSecret": "PUT /secrets/{name}: adds a version.",
    "UpdateSecret": "PATCH /secrets/{name}/{version}: attributes, tags, content type.",
    "GetSecrets": "GET /secrets: names and attributes, in pages.",
    "GetSecretVersions": "GET /secrets/{name}/versions: in pages.",
}

_ACTIONS = {
    "GetSecret": "getSecret/action",
    "SetSecret": "setSecret/action",
    "UpdateSecret": "update/action",
    "GetSecrets": "readMetadata/action",
    "GetSecretVersions": "readMetadata/action",
}
_SECRETS_USER = frozenset({"getSecret/action", "readMetadata/action"})
_SECRETS_OFFICER = frozenset(_ACTIONS.values())


def vault_app(
    vault: Vault,
    seed: AzureSeed,
    tokens: TokenAuthority,
    entra_url: Callable[[], str],
    wire: Wire,
) -> AsgiApp:
    """The application behind the vault's address."""
    endpoints = _Endpoints(vault, seed, tokens, entra_url)
    # The SDK writes /secrets/name/ when it wants the newest version.
    app = Starlette(
        routes=[
            Route("/secrets", endpoints.serve("GetSecrets", endpoints.secrets)),
            Route(
                "/secrets/{name}/versions",
                endpoints.serve("GetSecretVersions", endpoints.secret_versions),
            ),
            Route("/secrets/{name}", endpoints.serve("SetSecret", endpoints.set), methods=["PUT"]),
            *(
                Route(path, endpoints.serve(operation, handler), methods=[method])
                for path in ("/secrets/{name}", "/secrets/{name}/", "/secrets/{name}/{version}")
                for method, operation, handler in (
                    ("GET", "GetSecret", endpoints.get),
                    ("PATCH", "UpdateSecret", endpoints.update),
                )
            ),
        ],
        exception_handlers={
            VaultRefused: endpoints.refused,  # type: ignore[dict-item]
            TokenRefused: endpoints.challenge,  # type: ignore[dict-item]
        },
    )
    return AsgiWire(app, wire, "keyvault", _operation_name, endpoints.injected)


Handler = Callable[[Request, dict[str, Any]], Response]


class _Endpoints:
    def __init__(
        self,
        vault: Vault,
        seed: AzureSeed,
        tokens: TokenAuthority,
        entra_url: Callable[[], str],
    ) -> None:
        self._vault = vault
        self._seed = seed
        self._tokens = tokens
        self._entra_url = entra_url
        self._roles = {
            seed.reader.object_id: _SECRETS_USER,
            seed.administrator.object_id: _SECRETS_OFFICER,
        }

    def serve(self, operation: str, handler: Handler) -> Callable[[Request], Any]:
        """The endpoint that first checks the caller and the api-version."""

        async def endpoint(request: Request) -> Response:
            principal = self._tokens.check(request.headers.get("authorization"), (VAULT,))
            name = request.path_params.get("name")
            if name:
                request_detail(request.scope)["secret"] = name
            _check_api_version(request.query_params.get("api-version"))
            self._authorize(principal, _ACTIONS[operation], name)
            return handler(request, _json_object(await request.body()))

        return endpoint

    def get(self, request: Request, body: dict[str, Any]) -> Response:
        version = request.path_params.get("version", "")
        return _answer(_bundle(request, self._vault.get(request.path_params["name"], version)))

    def set(self, request: Request, body: dict[str, Any]) -> Response:
        return _answer(_bundle(request, self._vault.set(request.path_params["name"], body)))

    def update(self, request: Request, body: dict[str, Any]) -> Response:
        version = request.path_params.get("version", "")
        secret = self._vault.update(request.path_params["name"], version, body)
        return _answer(_item(request, secret, with_version=True))

    def secrets(self, request: Request, body: dict[str, Any]) -> Response:
        return _page(request, self._vault.newest(), with_version=False)

    def secret_versions(self, request: Request, body: dict[str, Any]) -> Response:
        versions = self._vault.versions(request.path_params["name"])
        return _page(request, versions, with_version=True)

    def _authorize(self, principal: Principal, action: str, name: str | None) -> None:
        if action in self._roles.get(principal.object_id, frozenset()):
            return
        resource = self._seed.vault_id.lower() + (f"/secrets/{name}" if name else "")
        raise VaultRefused(
            403,
            "Forbidden",
            "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny "
            "assignments or role definitions were changed recently, please observe propagation "
            f"time.\r\nCaller: appid={principal.client_id};oid={principal.object_id};"
            f"iss=https://sts.windows.net/{principal.tenant_id}/\r\n"
            f"Action: 'Microsoft.KeyVault/vaults/secrets/{action}'\r\n"
            f"Resource: '{resource}'\r\nAssignment: (not found)\r\nDenyAssignmentId: null\r\n"
            "DecisionReason: 'DeniedWithNoValidRBAC' \r\n"
            f"Vault: {self._seed.vault_name};location={self._seed.location}\r\n",
            "ForbiddenByRbac",
        )

    async def refused(self, request: Request, refused: VaultRefused) -> Response:
        return _refusal(refused)

    async def challenge(self, request: Request, refused: TokenRefused) -> Response:
        return self._challenge(refused)

    def injected(self, fault: Fault, scope: Scope) -> AsgiApp:
        """A fault in the words of Key Vault."""
        if fault.kind == "expire_token":
            return self._challenge(TokenRefused(Refusal.EXPIRED, expired_at=time.time()))
        if fault.kind == "throttle":
            return _refusal(VaultRefused(fault.status, "Throttled", fault.message))
        return _refusal(VaultRefused(fault.status, "InternalServerError", fault.message))

    def _challenge(self, refused: TokenRefused) -> Response:
        answer = _refusal(VaultRefused(401, "Unauthorized", _unauthorized(refused)))
        tenant = f"{self._entra_url()}/{self._seed.tenant_id}"
        answer.headers["WWW-Authenticate"] = f'Bearer authorization="{tenant}", resource="{VAULT}"'
        return answer


def _unauthorized(refused: TokenRefused) -> str:
    if refused.refusal is Refusal.MISSING:
        return "AKV10000: Request is missing a Bearer or PoP token."
    if refused.refusal is Refusal.AUDIENCE:
        return f"AKV10022: Invalid audience. Expected {VAULT}, found: {refused.audience}."
    if refused.refusal is Refusal.EXPIRED:
        return "[TokenExpired] Error validating token: 'S2S12086'."
    return "AKV10046: Unable to resolve the key used for signature validation."


def _check_api_version(api_version: str | None) -> None:
    if not api_version:
        raise VaultRefused(400, "BadParameter", "api-version must be specified")
    if not _API_VERSION.fullmatch(api_version):
        raise VaultRefused(
            400,
            "BadParameter",
            f"The specified version ({api_version}) is not recognized. Consider using the latest "
            f"supported version ({_LATEST_API_VERSION}).",
        )


def _json_object(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise VaultRefused(400, "BadParameter", "The request body is not a JSON object.")
    return value


def _attributes(secret: SecretVersion) -> dict[str, Any]:
    attributes = {
        "enabled": secret.enabled,
        "nbf": secret.not_before,
        "exp": secret.expires,
        "created": secret.created,
        "updated": secret.updated,
        "recoveryLevel": "Recoverable+Purgeable",
        "recoverableDays": 90,
    }
    return {name: value for name, value in attributes.items() if value is not None}


def _item(request: Request, secret: SecretVersion, *, with_version: bool) -> dict[str, Any]:
    vault_url = f"{request.url.scheme}://{request.url.netloc}"
    version = f"/{secret.version}" if with_version else ""
    item: dict[str, Any] = {
        "id": f"{vault_url}/secrets/{secret.name}{version}",
        "attributes": _attributes(secret),
        "tags": secret.tags,
    }
    if secret.content_type:
        item["contentType"] = secret.content_type
    return item


def _bundle(request: Request, secret: SecretVersion) -> dict[str, Any]:
    return {"value": secret.value, **_item(request, secret, with_version=True)}


def _page(request: Request, secrets: list[SecretVersion], *, with_version: bool) -> Response:
    size = _number(request, "maxresults", _PAGE_SIZE)
    if not 1 <= size <= _PAGE_SIZE:
        raise VaultRefused(400, "BadParameter", f"maxresults must be from 1 to {_PAGE_SIZE}.")
    start = _number(request, "$skiptoken", 0)
    end = start + size
    next_link = str(request.url.include_query_params(**{"$skiptoken": end}))
    return _answer(
        {
            "value": [_item(request, secret, with_version=with_version) for secret in secrets][
                start:end
            ],
            "nextLink": next_link if end < len(secrets) else None,
        }
    )


def _number(request: Request, name: str, otherwise: int) -> int:
    text = request.query_params.get(name, str(otherwise))
    if not re.fullmatch("[0-9]{1,9}", text):
        raise VaultRefused(400, "BadParameter", f"{name} is not a number: {text}")
    return int(text)


def _answer(body: dict[str, Any], status: int = 200) -> Response:
    return JSONResponse(
        body,
        status_code=status,
        headers={
            "Cache-Control": "no-cache",
            "x-ms-request-id": str(uuid.uuid4()),
            "x-ms-keyvault-service-version": "1.9.0.0",
        },
    )


def _refusal(refused: VaultRefused) -> Response:
    error: dict[str, Any] = {"code": refused.code, "message": refused.message}
    if refused.inner_code:
        error["innererror"] = {"code": refused.inner_code}
    answer = _answer({"error": error}, refused.status)
    if refused.status == 429:
        answer.headers["Retry-After"] = "1"
    return answer


def _operation_name(scope: Scope) -> str:
    parts = [part for part in scope["path"].split("/") if part]
    if parts[:1] != ["secrets"]:
        return "Unknown"
    if len(parts) == 1:
        return "GetSecrets"
    if parts[2:] == ["versions"]:
        return "GetSecretVersions"
    return {"PUT": "SetSecret", "PATCH": "UpdateSecret"}.get(scope["method"], "GetSecret")
