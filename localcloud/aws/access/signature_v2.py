"""URLs of S3 that are presigned with Signature Version 2, as boto3 does unless told otherwise.

https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlsplit

from botocore.auth import HmacV1QueryAuth
from botocore.awsrequest import HTTPHeaders
from botocore.credentials import Credentials

from localcloud.aws.access.signature_claim import (
    AccessKey,
    Flaw,
    NotAuthentic,
    SignedRequest,
    check_token,
)


class _Presigned(HmacV1QueryAuth):  # type: ignore[misc]
    """Signature Version 2 with the end that a URL says."""

    def _get_date(self) -> str:
        return str(self._expires)


def verify_version_2(
    request: SignedRequest, find_key: Callable[[str], AccessKey | None], now: datetime
) -> AccessKey:
    """The key that presigned a URL.

    Raises:
        NotAuthentic: It was none of the keys, or the URL is another one or has ended.
    """
    query = request.query
    access_key_id, ends = query["AWSAccessKeyId"], query["Expires"]
    key = find_key(access_key_id)
    if key is None:
        raise NotAuthentic(Flaw.UNKNOWN_KEY, access_key_id)
    check_token(key, query.get("x-amz-security-token"), NotAuthentic(Flaw.MISSING, now=now))
    if not re.fullmatch("[0-9]{1,12}", ends):
        raise NotAuthentic(Flaw.INCOMPLETE, access_key_id)
    if int(ends) < now.timestamp():
        raise NotAuthentic(Flaw.EXPIRED_URL, access_key_id)
    headers = HTTPHeaders()
    for name, value in request.headers.items():
        headers[name] = value
    signer = _Presigned(
        Credentials(access_key_id, key.secret_access_key, key.session_token), expires=ends
    )
    expected = signer.get_signature(request.method, urlsplit(request.url), headers)
    if not hmac.compare_digest(expected.encode(), query["Signature"].encode()):
        raise NotAuthentic(Flaw.WRONG_SIGNATURE, access_key_id)
    return key
