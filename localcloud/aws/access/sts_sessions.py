"""GetSessionToken and GetFederationToken of STS: moto answers with a key that everybody knows."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response

from localcloud.aws.access.access_keys import AccessKeys
from localcloud.aws.access.signature_claim import AccessKey
from localcloud.aws.refusals import error_response

_LEAST_SECONDS, _USUAL_SECONDS, _MOST_SECONDS = 900, 43_200, 129_600
_NAME = re.compile(r"[\w+=,.@-]{2,32}")


class StsSessions:
    """Hands out temporary credentials that can sign.

    Args:
        keys: Where they are kept.
        account_id: The account.
    """

    def __init__(self, keys: AccessKeys, account_id: str) -> None:
        self._keys = keys
        self._account_id = account_id

    def answer(self, operation: str, parameters: Mapping[str, str | None]) -> Response:
        """The answer to one of ``operations.STS_SESSIONS``.

        Args:
            operation: Its name.
            parameters: ``DurationSeconds`` and ``Name``, None where not given.
        """
        seconds = parameters.get("DurationSeconds") or str(_USUAL_SECONDS)
        if not re.fullmatch("[0-9]{1,7}", seconds) or not (
            _LEAST_SECONDS <= int(seconds) <= _MOST_SECONDS
        ):
            return _invalid("durationSeconds", f"between {_LEAST_SECONDS} and {_MOST_SECONDS}")
        if operation == "GetSessionToken":
            return _response(operation, _credentials(self._keys.new_session(int(seconds))))
        name = parameters.get("Name") or ""
        if not _NAME.fullmatch(name):
            return _invalid("name", f"as {_NAME.pattern}")
        user = (
            f"<FederatedUser><FederatedUserId>{self._account_id}:{escape(name)}</FederatedUserId>"
            f"<Arn>arn:aws:sts::{self._account_id}:federated-user/{escape(name)}</Arn>"
            "</FederatedUser><PackedPolicySize>0</PackedPolicySize>"
        )
        return _response(operation, _credentials(self._keys.new_session(int(seconds))) + user)


def _invalid(name: str, allowed: str) -> Response:
    message = (
        f"1 validation error detected: Value at '{name}' failed to satisfy constraint: Member must "
        f"be {allowed}"
    )
    return error_response("sts", "ValidationError", message, 400)


def _credentials(key: AccessKey) -> str:
    assert key.ends_at is not None
    return (
        f"<Credentials><AccessKeyId>{key.access_key_id}</AccessKeyId>"
        f"<SecretAccessKey>{key.secret_access_key}</SecretAccessKey>"
        f"<SessionToken>{key.session_token}</SessionToken>"
        f"<Expiration>{key.ends_at:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials>"
    )


def _response(operation: str, result: str) -> Response:
    body = (
        f'<{operation}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
        f"<{operation}Result>{result}</{operation}Result>"
        f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata>"
        f"</{operation}Response>"
    )
    return Response(body, content_type="text/xml")
