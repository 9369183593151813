"""The front door of Azure Resource Manager: what it checks before the provider sees a request."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from localcloud.azure.arm.api import HdInsightApi
from localcloud.azure.arm.authorization import (
    AUDIENCES,
    RoleAssignment,
    authorize,
    unauthenticated,
)
from localcloud.azure.arm.responses import PROVIDER, ArmAnswer, ArmRefused, ArmRequest
from localcloud.azure.arm.routes import ArmRoute, find_route
from localcloud.azure.arm.versions import API_VERSIONS
from localcloud.azure.tokens import Principal, Refusal, TokenAuthority, TokenRefused
from localcloud.web.wire import AsgiApp, AsgiWire, Fault, Scope, Wire, request_detail

_METHODS = ["GET", "PUT", "POST", "PATCH", "DELETE"]


class ArmGateway:
    """Checks a request in ARM's order, and lets the provider answer it.

    Args:
        api: The provider.
        tokens: Checks callers.
        assignments: Who has which role where.
        entra_url: The address of Entra ID, for the challenge.
    """

    def __init__(
        self,
        api: HdInsightApi,
        tokens: TokenAuthority,
        assignments: tuple[RoleAssignment, ...],
        entra_url: Callable[[], str],
    ) -> None:
        self._api = api
        self._tokens = tokens
        self._assignments = assignments
        self._entra_url = entra_url

    def app(self, wire: Wire) -> AsgiApp:
        """The application behind the ARM endpoint."""
        app = Starlette(
            routes=[Route("/{path:path}", self._endpoint, methods=_METHODS)],
            exception_handlers={ArmRefused: self._refused},  # type: ignore[dict-item]
        )
        return AsgiWire(app, wire, "arm", _operation_name, self._injected)

    async def _endpoint(self, request: Request) -> Response:
        body = await request.body()
        answer = await run_in_threadpool(self._answer, request, body)
        return _response(answer.status, answer.body, answer.headers, request.headers)

    def _answer(self, request: Request, body: bytes) -> ArmAnswer:
        api_version = request.query_params.get("api-version")
        if not api_version:
            raise ArmRefused(
                400,
                "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.",
            )
        principal = self._authenticate(request.headers.get("authorization"))
        route, names = _route(request.method, request.url.path, api_version)
        self._check_subscription(names["subscription"])
        self._authorize(route, names, principal)
        if api_version not in API_VERSIONS:
            raise ArmRefused(
                400,
                "InvalidApiVersionParameter",
                f"The api-version '{api_version}' is invalid. The supported versions are "
                f"'{','.join(API_VERSIONS)}'.",
            )
        self._check_resource_group(names.get("resource_group"))
        self._api.operations.settle()
        return route.handler(
            self._api,
            ArmRequest(
                names=names,
                query=dict(request.query_params),
                body=_json(body),
                principal=principal,
                base_url=f"{request.url.scheme}://{request.url.netloc}",
                path=request.url.path,
                api_version=api_version,
                detail=request_detail(request.scope),
            ),
        )

    def _authenticate(self, authorization: str | None) -> Principal:
        try:
            return self._tokens.check(authorization, AUDIENCES)
        except TokenRefused as refused:
            raise self._unauthenticated(refused) from None

    def _unauthenticated(self, refused: TokenRefused) -> ArmRefused:
        authority = f"{self._entra_url()}/{self._api.seed.tenant_id}"
        return unauthenticated(refused, authority, self._api.now())

    def _check_subscription(self, subscription_id: str) -> None:
        if subscription_id.lower() != self._api.seed.subscription_id:
            raise ArmRefused(
                404,
                "SubscriptionNotFound",
                f"The subscription '{subscription_id}' could not be found.",
            )

    def _check_resource_group(self, name: str | None) -> None:
        if name is not None and name.lower() != self._api.seed.resource_group.lower():
            raise ArmRefused(
                404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found."
            )

    def _authorize(self, route: ArmRoute, names: Mapping[str, str], principal: Principal) -> None:
        if route.permission is not None:
            scope = route.scope.format(**names)
            action = f"{PROVIDER}/{route.permission}"
            authorize(self._assignments, principal, action, scope)

    async def _refused(self, request: Request, refused: ArmRefused) -> Response:
        return _refusal(refused, request.headers)

    def _injected(self, fault: Fault, scope: Scope) -> AsgiApp:
        """A fault in ARM's words."""
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        if fault.kind == "expire_token":
            expired = TokenRefused(Refusal.EXPIRED, expired_at=time.time())
            return _refusal(self._unauthenticated(expired), headers)
        if fault.kind == "throttle":
            throttled = ArmRefused(
                fault.status, "TooManyRequests", fault.message, headers={"Retry-After": "1"}
            )
            return _refusal(throttled, headers)
        return _refusal(ArmRefused(fault.status, "InternalServerError", fault.message), headers)


def _route(method: str, path: str, api_version: str) -> tuple[ArmRoute, dict[str, str]]:
    found = find_route(method, path)
    if found is None:
        raise ArmRefused(
            404,
            "InvalidResourceType",
            f"The resource type could not be found in the namespace '{PROVIDER}' for api version "
            f"'{api_version}'.",
        )
    return found


def _json(body: bytes) -> Any:
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError as error:
        raise ArmRefused(
            400,
            "InvalidRequestContent",
            f"The request content was invalid and could not be deserialized: '{error}'.",
        ) from None


def _refusal(refused: ArmRefused, request_headers: Mapping[str, str]) -> Response:
    return _response(refused.status, refused.body(), refused.headers, request_headers)


def _response(
    status: int, body: Any, headers: Mapping[str, str], request_headers: Mapping[str, str]
) -> Response:
    request_id = str(uuid.uuid4())
    correlation_id = request_headers.get("x-ms-correlation-request-id", request_id)
    at = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    all_headers = {
        "Cache-Control": "no-cache",
        "x-ms-request-id": request_id,
        "x-ms-correlation-request-id": correlation_id,
        "x-ms-routing-request-id": f"WESTUS3:{at}:{request_id}",
        **headers,
    }
    if status == 204:
        return Response(status_code=204, headers=all_headers)
    return JSONResponse(body, status_code=status, headers=all_headers)


def _operation_name(scope: Scope) -> str:
    found = find_route(scope["method"], scope["path"])
    return found[0].operation if found else "Unknown"
