"""Who sends a request to AWS, and how each service says that it does not believe it."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from moto.core.request import PRESERVED_HEADER_NAMES_ENVIRON_KEY
from werkzeug.wrappers import Response

from localcloud.aws.access.signature import SKEW, USUAL_SKEW
from localcloud.aws.access.signature_claim import Flaw, NotAuthentic, SignedRequest
from localcloud.aws.operations import body_of, service_of
from localcloud.aws.refusals import error_response
from localcloud.web.wire import Environ

_OTHER = (
    "The request signature we calculated does not match the signature you provided. Check your AWS "
    "Secret Access Key and signing method. Consult the service documentation for details."
)
_OTHER_S3 = (
    "The request signature we calculated does not match the signature you provided. Check your key "
    "and signing method."
)
_PARTS = (
    "Authorization header requires 'Credential' parameter. Authorization header requires "
    "'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization "
    "header requires existence of either a 'X-Amz-Date' or a 'Date' header."
)
_INVALID = "The security token included in the request is invalid."
_EXPIRED = "The security token included in the request is expired"
_NOT_VALIDATED = "AWS was not able to validate the provided access credentials"
_TIMESTAMP = "%Y%m%dT%H%M%SZ"
_ISO = "%Y-%m-%dT%H:%M:%SZ"


class _Answer(NamedTuple):
    code: str
    status: int
    message: str = ""


# https://docs.aws.amazon.com/glue/latest/webapi/CommonErrors.html, which Logs shares
_JSON = {
    Flaw.MISSING: _Answer(
        "MissingAuthenticationTokenException", 400, "Missing Authentication Token"
    ),
    Flaw.INCOMPLETE: _Answer("IncompleteSignatureException", 400, _PARTS),
    Flaw.UNSUPPORTED: _Answer("IncompleteSignatureException", 400, _PARTS),
    Flaw.UNKNOWN_KEY: _Answer("UnrecognizedClientException", 400, _INVALID),
    Flaw.WRONG_TOKEN: _Answer("UnrecognizedClientException", 400, _INVALID),
    Flaw.EXPIRED_TOKEN: _Answer("ExpiredTokenException", 400, _EXPIRED),
    Flaw.WRONG_SIGNATURE: _Answer("InvalidSignatureException", 400, _OTHER),
    Flaw.WRONG_BODY: _Answer("InvalidSignatureException", 400, _OTHER),
    Flaw.UNSIGNED_HEADERS: _Answer("InvalidSignatureException", 400, _OTHER),
    Flaw.TOO_EARLY: _Answer("InvalidSignatureException", 400),
    Flaw.TOO_LATE: _Answer("InvalidSignatureException", 400),
    Flaw.EXPIRED_URL: _Answer("InvalidSignatureException", 400),
}
# https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html, and that of IAM
_QUERY = {
    Flaw.MISSING: _Answer(
        "MissingAuthenticationToken", 403, "Request is missing Authentication Token"
    ),
    Flaw.INCOMPLETE: _Answer("IncompleteSignature", 400, _PARTS),
    Flaw.UNSUPPORTED: _Answer("IncompleteSignature", 400, _PARTS),
    Flaw.UNKNOWN_KEY: _Answer("InvalidClientTokenId", 403, _INVALID),
    Flaw.WRONG_TOKEN: _Answer("InvalidClientTokenId", 403, _INVALID),
    Flaw.EXPIRED_TOKEN: _Answer("ExpiredToken", 403, _EXPIRED),
    Flaw.WRONG_SIGNATURE: _Answer("SignatureDoesNotMatch", 403, _OTHER),
    Flaw.WRONG_BODY: _Answer("SignatureDoesNotMatch", 403, _OTHER),
    Flaw.UNSIGNED_HEADERS: _Answer("SignatureDoesNotMatch", 403, _OTHER),
    Flaw.TOO_EARLY: _Answer("SignatureDoesNotMatch", 403),
    Flaw.TOO_LATE: _Answer("SignatureDoesNotMatch", 403),
    Flaw.EXPIRED_URL: _Answer("SignatureDoesNotMatch", 403),
}
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
_EC2 = {
    **_QUERY,
    Flaw.UNKNOWN_KEY: _Answer("AuthFailure", 401, _NOT_VALIDATED),
    Flaw.WRONG_TOKEN: _Answer("AuthFailure", 401, _NOT_VALIDATED),
    Flaw.EXPIRED_TOKEN: _Answer("RequestExpired", 400, "Request has expired."),
    Flaw.WRONG_SIGNATURE: _Answer("AuthFailure", 401, _NOT_VALIDATED),
    Flaw.WRONG_BODY: _Answer("AuthFailure", 401, _NOT_VALIDATED),
    Flaw.UNSIGNED_HEADERS: _Answer("AuthFailure", 401, _NOT_VALIDATED),
    Flaw.TOO_EARLY: _Answer("RequestExpired", 400, "Request has expired."),
    Flaw.TOO_LATE: _Answer("RequestExpired", 400, "Request has expired."),
    Flaw.EXPIRED_URL: _Answer("RequestExpired", 400, "Request has expired."),
}
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
_S3_SKEWED = _Answer(
    "RequestTimeTooSkewed",
    403,
    "The difference between the request time and the current time is too large.",
)
_S3 = {
    Flaw.MISSING: _Answer("AccessDenied", 403, "Access Denied"),
    Flaw.INCOMPLETE: _Answer(
        "AuthorizationHeaderMalformed",
        400,
        "The authorization header that you provided is not valid.",
    ),
    Flaw.UNSUPPORTED: _Answer(
        "InvalidRequest",
        400,
        "The authorization mechanism you have provided is not supported. Please use "
        "AWS4-HMAC-SHA256.",
    ),
    Flaw.UNKNOWN_KEY: _Answer(
        "InvalidAccessKeyId",
        403,
        "The AWS Access Key Id you provided does not exist in our records.",
    ),
    Flaw.WRONG_TOKEN: _Answer(
        "InvalidToken", 400, "The provided token is malformed or otherwise invalid."
    ),
    Flaw.EXPIRED_TOKEN: _Answer("ExpiredToken", 400, "The provided token has expired."),
    Flaw.WRONG_SIGNATURE: _Answer("SignatureDoesNotMatch", 403, _OTHER_S3),
    Flaw.WRONG_BODY: _Answer(
        "XAmzContentSHA256Mismatch",
        400,
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
    ),
    Flaw.UNSIGNED_HEADERS: _Answer(
        "AccessDenied", 403, "There were headers present in the request which were not signed"
    ),
    Flaw.TOO_EARLY: _S3_SKEWED,
    Flaw.TOO_LATE: _S3_SKEWED,
    Flaw.EXPIRED_URL: _Answer("AccessDenied", 403, "Request has expired"),
}
_ANSWERS = {"glue": _JSON, "logs": _JSON, "iam": _QUERY, "sts": _QUERY, "ec2": _EC2}


def signed_request(environ: Environ) -> SignedRequest:
    """The request as its sender signed it."""
    host = environ.get("HTTP_HOST", "")
    return SignedRequest(
        environ["REQUEST_METHOD"],
        f"{environ['wsgi.url_scheme']}://{host}{environ['RAW_URI']}",
        _headers(environ),
        body_of(environ),
    )


def _headers(environ: Environ) -> dict[str, str]:
    written = environ.get(PRESERVED_HEADER_NAMES_ENVIRON_KEY, {})
    headers = {
        written.get(key, key.removeprefix("HTTP_").replace("_", "-")).lower(): _text(value)
        for key, value in environ.items()
        if key.startswith("HTTP_") and isinstance(value, str)
    }
    for key in ("CONTENT_TYPE", "CONTENT_LENGTH", "CONTENT_MD5"):
        if environ.get(key):
            headers[key.replace("_", "-").lower()] = _text(environ[key])
    return headers


def _text(value: str) -> str:
    """A header's value: WSGI shows its bytes as Latin-1."""
    return value.encode("latin-1", "replace").decode("utf-8", "replace")


def refusal(refused: NotAuthentic, environ: Environ) -> Response:
    """The service's own answer to a request that is not authentic."""
    service = service_of(environ)
    answer = _ANSWERS.get(service, _S3)[refused.flaw]
    message = answer.message or _clock_words(refused, service)
    return error_response(
        service, answer.code, message, answer.status, _s3_details(refused, answer.code)
    )


def _clock_words(refused: NotAuthentic, service: str) -> str:
    """``Signature expired: 20260101T000000Z is now earlier than …``, as in Glue."""
    signed_at, now = refused.signed_at, refused.now
    assert signed_at is not None
    assert now is not None
    skew = SKEW.get(service, USUAL_SKEW)
    minutes = int(skew.total_seconds() // 60)
    if refused.flaw is Flaw.TOO_EARLY:
        return (
            f"Signature not yet current: {_compact(signed_at)} is still later than "
            f"{_compact(now + skew)} ({_compact(now)} + {minutes} min.)"
        )
    return (
        f"Signature expired: {_compact(signed_at)} is now earlier than {_compact(now - skew)} "
        f"({_compact(now)} - {minutes} min.)"
    )


def _compact(at: datetime) -> str:
    return at.strftime(_TIMESTAMP)


def _s3_details(refused: NotAuthentic, code: str) -> dict[str, str]:
    """What S3 tells besides code and message."""
    if code == "RequestTimeTooSkewed" and refused.signed_at and refused.now:
        return {
            "RequestTime": _compact(refused.signed_at),
            "ServerTime": refused.now.strftime(_ISO),
            "MaxAllowedSkewMilliseconds": f"{int(SKEW['s3'].total_seconds() * 1000)}",
        }
    if code in ("InvalidAccessKeyId", "SignatureDoesNotMatch"):
        return {"AWSAccessKeyId": refused.access_key_id}
    return {}
