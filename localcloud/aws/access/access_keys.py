"""The access keys of the local account: its own, those of IAM, and temporary ones of STS."""

from __future__ import annotations

import secrets
import string
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from localcloud.aws.access.signature_claim import AccessKey
from localcloud.aws.seed import Account

_PARTITION = "aws"
_ALPHABET = string.ascii_uppercase + string.digits


class AccessKeys:
    """Who may sign requests.

    Args:
        account: The account and its own key, which is good for good.
        lock: Held by everybody who touches moto.
        now: The time.
    """

    def __init__(
        self, account: Account, lock: threading.RLock, now: Callable[[], datetime]
    ) -> None:
        self._account = account
        self._lock = lock
        self._now = now
        self._sessions: dict[str, AccessKey] = {}

    def find(self, access_key_id: str) -> AccessKey | None:
        """The key with an id, while it is active."""
        account = self._account
        if access_key_id == account.access_key_id:
            return AccessKey(access_key_id, account.secret_access_key)
        if access_key_id in self._sessions:
            return self._sessions[access_key_id]
        with self._lock:
            return self._of_a_role(access_key_id) or self._of_a_user(access_key_id)

    def new_session(self, seconds: int) -> AccessKey:
        """Temporary credentials of the account's own user."""
        key = AccessKey(
            "ASIA" + "".join(secrets.choice(_ALPHABET) for _ in range(16)),
            secrets.token_urlsafe(30),
            secrets.token_urlsafe(120),
            self._now() + timedelta(seconds=seconds),
        )
        self._sessions[key.access_key_id] = key
        return key

    def _of_a_role(self, access_key_id: str) -> AccessKey | None:
        """Moto keeps an assumed role with the account that its ARN names."""
        for account in list(sts_backends):
            if _PARTITION not in sts_backends[account]:
                continue
            for role in sts_backends[account][_PARTITION].assumed_roles:
                if role.access_key_id == access_key_id:
                    return AccessKey(
                        access_key_id,
                        role.secret_access_key,
                        role.session_token,
                        role.expiration.replace(tzinfo=UTC),
                    )
        return None

    def _of_a_user(self, access_key_id: str) -> AccessKey | None:
        keys = iam_backends[self._account.account_id][_PARTITION].access_keys
        key = keys.get(access_key_id)
        if key is None or key.user_name is None or key.status != "Active":
            return None
        return AccessKey(access_key_id, key.secret_access_key)
