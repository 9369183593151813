"""A session that assumes a role does so again before the role's keys expire."""

from __future__ import annotations

import time
from itertools import count

import boto3
import pytest

from flinkglue.clock import SystemClock
from flinkglue.glue.api.sessions import renewing_session


class Roles:
    """Gives new keys each time, and counts."""

    def __init__(self) -> None:
        self.numbers = count(1)

    def assume(self) -> boto3.Session:
        number = next(self.numbers)
        return boto3.Session(f"key{number}", "secret", f"token{number}", region_name="eu-west-1")


def keys(session: boto3.Session) -> tuple[str, str | None]:
    credentials = session.get_credentials()
    assert credentials is not None
    frozen = credentials.get_frozen_credentials()
    return frozen.access_key, frozen.token


@pytest.mark.parametrize("lasts_seconds", [900, 3600, 43200])
def test_keys_are_used_as_long_as_they_last(lasts_seconds: float) -> None:
    session = renewing_session(Roles().assume, lasts_seconds, SystemClock())
    assert session.region_name == "eu-west-1"
    assert [keys(session) for _ in range(3)] == [("key1", "token1")] * 3


def test_keys_that_expire_are_fetched_anew_for_clients_that_exist() -> None:
    session = renewing_session(Roles().assume, 0.2, SystemClock())
    signing = session.client("glue")._request_signer._credentials  # what each call is signed with
    time.sleep(0.25)
    assert signing.get_frozen_credentials().access_key == "key2"
