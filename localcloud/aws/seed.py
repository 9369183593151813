"""The account of the local AWS: the same for every start in one state directory."""

from __future__ import annotations

import json
import secrets
import string
from dataclasses import asdict, dataclass, field
from pathlib import Path

from localcloud.kept_file import kept

REGION = "us-east-1"
_ALPHABET = string.ascii_uppercase + string.digits


@dataclass(frozen=True)
class Account:
    """An AWS account and the key of its user."""

    account_id: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    region: str = REGION


def account(directory: Path) -> Account:
    """The account kept in a directory; a new one when there is none yet."""
    return Account(**json.loads(kept(directory / "account.json", _new_account)))


def _new_account() -> bytes:
    fresh = Account(
        account_id=f"{secrets.randbelow(9 * 10**11) + 10**11}",
        access_key_id="AKIA" + "".join(secrets.choice(_ALPHABET) for _ in range(16)),
        secret_access_key=secrets.token_urlsafe(30),
    )
    return json.dumps(asdict(fresh)).encode()
