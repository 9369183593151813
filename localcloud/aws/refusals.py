"""Throttling, errors and expired credentials in each service's own words."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import NamedTuple
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response

from localcloud.aws.glue.api import json_error
from localcloud.aws.operations import service_of
from localcloud.web.wire import Environ, Fault


class _Words(NamedTuple):
    throttle: tuple[str, int]
    error: str
    expired: tuple[str, int]


_WORDS = {
    "ec2": _Words(("RequestLimitExceeded", 503), "InternalError", ("RequestExpired", 400)),
    "glue": _Words(
        ("ThrottlingException", 400), "InternalServiceException", ("ExpiredTokenException", 400)
    ),
    "iam": _Words(("Throttling", 400), "ServiceFailure", ("ExpiredToken", 403)),
    "logs": _Words(
        ("ThrottlingException", 400), "ServiceUnavailableException", ("ExpiredTokenException", 400)
    ),
    "s3": _Words(("SlowDown", 503), "InternalError", ("ExpiredToken", 400)),
    "sts": _Words(("Throttling", 400), "InternalFailure", ("ExpiredToken", 403)),
}
_NAMED_CODE = re.compile(r"([A-Z][A-Za-z.]+): (.+)", re.DOTALL)


def refuse(fault: Fault, environ: Environ) -> Response:
    """The answer to a fault.

    The message of an ``error`` may begin with an error code and a colon, for example
    ``OperationTimeoutException: took too long``.
    """
    service = service_of(environ)
    words = _WORDS.get(service, _WORDS["s3"])
    if fault.kind == "throttle":
        code, status = words.throttle
        return error_response(service, code, fault.message, status)
    if fault.kind == "expire_token":
        code, status = words.expired
        return error_response(service, code, fault.message, status)
    named = _NAMED_CODE.fullmatch(fault.message)
    code, message = named.groups() if named else (words.error, fault.message)
    return error_response(service, code, message, fault.status)


def error_response(
    service: str,
    code: str,
    message: str,
    status: int,
    s3_details: Mapping[str, str] | None = None,
) -> Response:
    """An error in the service's protocol; S3 tells more than code and message."""
    if service in ("glue", "logs"):
        return json_error(code, message, status)
    request_id = str(uuid.uuid4())
    error = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if service == "ec2":
        body = (
            f"<Response><Errors><Error>{error}</Error></Errors>"
            f"<RequestID>{request_id}</RequestID></Response>"
        )
    elif service == "s3":
        details = (s3_details or {}).items()
        more = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in details)
        body = f"<Error>{error}{more}<RequestId>{request_id}</RequestId></Error>"
    else:
        fault_of = "Receiver" if status >= 500 else "Sender"
        body = (
            f"<ErrorResponse><Error><Type>{fault_of}</Type>{error}</Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
    return Response(
        f'<?xml version="1.0" encoding="UTF-8"?>\n{body}',
        status=status,
        headers={"x-amz-request-id": request_id},
        content_type="text/xml;charset=UTF-8",
    )
