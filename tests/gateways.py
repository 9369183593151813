"""What stands before a service and answers in its place, as each product answers by default.

nginx: ngx_http_special_response.c; Traefik: Go's http.NotFound and net/http's texts; Envoy: its
local replies; AWS ALB and API Gateway, Kong, Apigee, Spring Cloud Gateway, Vault, JSON:API and
oauth2-proxy: the examples in their documents.
"""

from __future__ import annotations

from collections.abc import Callable

import httpx

Gateway = Callable[[int], httpx.Response]
"""Makes its answer with a status."""

_REASONS = {
    400: "Bad Request",
    404: "Not Found",
    405: "Not Allowed",
    408: "Request Time-out",
    409: "Conflict",
    410: "Gone",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Temporarily Unavailable",
    504: "Gateway Time-out",
}

STATUSES = tuple(_REASONS)
"""Those that a gateway answers with, and that mean something else when the service itself does."""

SIGN_IN_PAGE = "<html><head><title>Sign In</title></head><body><form>Sign in with SSO</form></body>"


def _reason(status: int) -> str:
    return _REASONS.get(status, "Moved")


def _nginx(status: int) -> httpx.Response:
    title = f"{status} {_reason(status)}"
    page = f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}"
    page += "</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    return httpx.Response(status, html=page, headers={"Server": "nginx/1.25.3"})


def _alb(status: int) -> httpx.Response:
    title = f"{status} {_reason(status)}"
    page = f"<html>\r\n<head><title>{title}</title></head>\r\n<body><center>{title}</center></body>"
    return httpx.Response(status, html=page, headers={"Server": "awselb/2.0"})


def _traefik(status: int) -> httpx.Response:
    return httpx.Response(status, text="404 page not found\n" if status == 404 else _reason(status))


def _envoy(status: int) -> httpx.Response:
    text = "" if status == 404 else "upstream connect error or disconnect/reset before headers"
    return httpx.Response(status, text=text, headers={"Server": "envoy"})


def _kong(status: int) -> httpx.Response:
    message = "no Route matched with those values" if status == 404 else _reason(status)
    return httpx.Response(status, json={"message": message}, headers={"Server": "kong/3.4.2"})


def _api_gateway(status: int) -> httpx.Response:
    headers = {"x-amzn-RequestId": "c6af9ac6-7b61", "x-amz-apigw-id": "JKLm1"}
    return httpx.Response(status, json={"message": _reason(status)}, headers=headers)


def _spring(status: int) -> httpx.Response:
    body = {"timestamp": "2024-05-01", "path": "/", "status": status, "error": _reason(status)}
    return httpx.Response(status, json=body)


def _apigee(status: int) -> httpx.Response:
    detail = {"errorcode": "messaging.adaptors.http.flow.ApplicationNotFound"}
    return httpx.Response(
        status, json={"fault": {"faultstring": _reason(status), "detail": detail}}
    )


def _vault(status: int) -> httpx.Response:
    return httpx.Response(status, json={"errors": []})


def _json_api(status: int) -> httpx.Response:
    return httpx.Response(
        status, json={"errors": [{"status": str(status), "title": _reason(status)}]}
    )


def _rails(status: int) -> httpx.Response:
    return httpx.Response(status, json={"errors": [_reason(status)]})


def _error_text(status: int) -> httpx.Response:
    return httpx.Response(status, json={"error": _reason(status)})


def _empty(status: int) -> httpx.Response:
    return httpx.Response(status, headers={"Via": "1.1 proxy.example.com (squid/6.6)"})


def _truncated(status: int) -> httpx.Response:
    content = b'{"errors":["org.apache.flink.runtime.rest.NotFoundException: Job '
    return httpx.Response(status, content=content, headers={"Content-Type": "application/json"})


def _null(status: int) -> httpx.Response:
    return httpx.Response(status, content=b"null", headers={"Content-Type": "application/json"})


def _list(status: int) -> httpx.Response:
    return httpx.Response(status, json=["maintenance"])


def _sign_in(status: int) -> httpx.Response:
    return httpx.Response(status, html=SIGN_IN_PAGE)


GATEWAYS: dict[str, Gateway] = {
    "nginx": _nginx,
    "ALB": _alb,
    "Traefik": _traefik,
    "Envoy": _envoy,
    "Kong": _kong,
    "API Gateway": _api_gateway,
    "Spring": _spring,
    "Apigee": _apigee,
    "Vault": _vault,
    "JSON:API": _json_api,
    "Rails": _rails,
    "error text": _error_text,
    "empty": _empty,
    "truncated": _truncated,
    "null": _null,
    "list": _list,
    "sign-in page": _sign_in,
}

REDIRECT = "https://user:pw@login.example.com/oauth2/start?rd=%2Fjobs&state=secret-state"


def redirect(status: int) -> httpx.Response:
    """An identity proxy's way to its sign-in page."""
    return httpx.Response(status, headers={"Location": REDIRECT})


REDIRECTS = (301, 302, 303, 307, 308)
