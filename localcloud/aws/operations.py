"""Which service and which operation a request means, and what the request log shows of it."""

from __future__ import annotations

import io
import json
import re
from functools import cache
from typing import Any
from urllib.parse import parse_qs

import botocore.session
from moto.core.request import Request
from moto.core.routing import NotFound, get_service_router
from moto.core.utils import camelcase_to_underscores, method_names_from_class
from moto.ec2.responses import EC2Response
from moto.glue.responses import GlueResponse
from moto.iam.responses import IamResponse
from moto.logs.responses import LogsResponse
from moto.s3.responses import S3Response
from moto.sts.responses import TokenResponse

from localcloud.aws.bucket_owner import OWNER_HEADER
from localcloud.aws.glue.api import DESCRIPTIONS
from localcloud.part import Operation
from localcloud.web.wire import Environ, request_detail

_RESPONSES: dict[str, type] = {
    "ec2": EC2Response,
    "glue": GlueResponse,
    "iam": IamResponse,
    "logs": LogsResponse,
    "s3": S3Response,
    "sts": TokenResponse,
}
SERVICES = tuple(_RESPONSES)

STS_SESSIONS = {
    "GetSessionToken": "temporary credentials of the caller; no MFA",
    "GetFederationToken": "temporary credentials; policies have no effect",
}
"""The operations of STS that are served here rather than by moto."""

# Moto routes these of S3 to methods that are not named after them.
_OTHER_S3 = (
    "CompleteMultipartUpload",
    "CreateBucket",
    "CreateMultipartUpload",
    "DeleteObjects",
    "ListBuckets",
)
_SCOPE = re.compile(r"Credential=[^/]+/\d{8}/([^/]+)/([^/]+)/aws4_request")
_BODY = "localcloud.aws.body"
_QUERY_VERSIONS = {"2016-11-15": "ec2", "2010-05-08": "iam", "2011-06-15": "sts"}

_DETAIL: dict[str, str] = {
    "JobName": "job_name",
    "JobRunId": "job_run_id",
    "RunId": "job_run_id",
    "JobRunIds": "job_run_ids",
    "ConnectionName": "connection_name",
}


def service_of(environ: Environ) -> str:
    """The service by its signing name; of unsigned requests, what their protocol says."""
    found = _scope(environ)
    return found[1] if found else _service_of_unsigned(environ)


def _service_of_unsigned(environ: Environ) -> str:
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        return "logs" if target.startswith("Logs_") else "glue"
    version = query_parameter(environ, "Version") if environ.get("PATH_INFO") == "/" else None
    return _QUERY_VERSIONS.get(version or "", "s3")


def region_of(environ: Environ) -> str | None:
    """The region that the request was signed for."""
    found = _scope(environ)
    return found[0] if found else None


def operation_of(environ: Environ) -> str:
    """The operation by the service's own name; puts what tests need into the request's detail."""
    service = service_of(environ)
    body = body_of(environ)
    request_detail(environ)["user_agent"] = environ.get("HTTP_USER_AGENT", "").partition(" ")[0]
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target:
        operation = target.rsplit(".", 1)[-1]
        if service == "glue":
            request_detail(environ).update(_glue_detail(operation, body))
        if service == "logs":
            request_detail(environ).update(_logs_detail(body))
        return operation
    if service in ("ec2", "iam", "sts"):
        return query_parameter(environ, "Action") or "?"
    if service == "s3":  # loopback addresses have no bucket in their host name
        request_detail(environ)["object"] = environ.get("PATH_INFO", "").lstrip("/")
    if owner := environ.get(OWNER_HEADER):
        request_detail(environ)["expected_bucket_owner"] = owner
    return _s3_operation(environ)


def query_parameter(environ: Environ, name: str) -> str | None:
    """A parameter of a request in the query protocol."""
    text = body_of(environ).decode("utf-8", "replace") or environ["QUERY_STRING"]
    return parse_qs(text).get(name, [None])[0]


def body_of(environ: Environ) -> bytes:
    """The request's body; it can still be read as often as one likes."""
    if _BODY not in environ:
        length = environ.get("CONTENT_LENGTH")
        stream = environ["wsgi.input"]
        if length:
            environ[_BODY] = stream.read(int(length))
        else:
            environ[_BODY] = stream.read() if environ.get("wsgi.input_terminated") else b""
    environ["wsgi.input"] = io.BytesIO(environ[_BODY])
    body: bytes = environ[_BODY]
    return body


@cache
def served(service: str) -> frozenset[str]:
    """The operations of a service that are answered."""
    methods = set(method_names_from_class(_RESPONSES[service]))
    model = botocore.session.get_session().get_service_model(service)
    names = {name for name in model.operation_names if camelcase_to_underscores(name) in methods}
    if service == "s3":
        names.update(_OTHER_S3)
    if service == "glue":
        names.update(DESCRIPTIONS)
    return frozenset(names)


def is_served(service: str, operation: str) -> bool:
    """Whether the operation is answered; S3's routing is left to moto."""
    return service == "s3" or operation in served(service)


def catalogue() -> list[Operation]:
    """Every operation for the generated page."""
    return [
        Operation(service, name, _description(service, name))
        for service in SERVICES
        for name in sorted(served(service))
    ]


def _description(service: str, operation: str) -> str:
    own = {"glue": DESCRIPTIONS, "sts": STS_SESSIONS}.get(service, {}).get(operation)
    return own or "as moto does it"


def _scope(environ: Environ) -> tuple[str, str] | None:
    for text in (environ.get("HTTP_AUTHORIZATION", ""), environ.get("QUERY_STRING", "")):
        found = _SCOPE.search(text.replace("%2F", "/").replace("X-Amz-Credential", "Credential"))
        if found:
            return found[1], found[2]
    return None


def _parameters(body: bytes) -> dict[str, Any]:
    try:
        parameters = json.loads(body)
    except ValueError:
        return {}
    return parameters if isinstance(parameters, dict) else {}


def _logs_detail(body: bytes) -> dict[str, Any]:
    shown = {"logGroupName": "log_group", "logStreamName": "log_stream"}
    parameters = _parameters(body)
    return {shown[name]: parameters[name] for name in shown if name in parameters}


def _glue_detail(operation: str, body: bytes) -> dict[str, Any]:
    parameters = _parameters(body)
    detail = {shown: parameters[name] for name, shown in _DETAIL.items() if name in parameters}
    if "Name" in parameters:
        noun = "connection_name" if "Connection" in operation else "job_name"
        if noun == "connection_name" or operation.endswith("Job"):
            detail[noun] = parameters["Name"]
    definition = parameters.get("JobUpdate", parameters)
    if isinstance(definition, dict) and isinstance(definition.get("Role"), str):
        detail["role"] = definition["Role"]
    connections = definition.get("Connections") if isinstance(definition, dict) else None
    if isinstance(connections, dict):
        detail["connection_names"] = connections.get("Connections", [])
    if ":job/" in (arn := str(parameters.get("ResourceArn", ""))):
        detail["job_name"] = arn.partition(":job/")[2]
    if isinstance(tags := parameters.get("Tags"), dict) and tags:
        detail["tag_keys"] = sorted(tags)
    created = parameters.get("ConnectionInput")
    if isinstance(created, dict) and "Name" in created:
        detail["connection_name"] = created["Name"]
    return detail


def _s3_operation(environ: Environ) -> str:
    try:
        operation, _ = get_service_router("s3").match(Request(environ.copy()))
    except (NotFound, NotImplementedError):
        return "?"
    finally:
        body_of(environ)
    return str(operation.name)
