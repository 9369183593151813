"""Sessions that outlive their keys: a job may run for days, the keys of a role last an hour."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from flinkglue.clock import Clock

if TYPE_CHECKING:
    import boto3


def renewing_session(
    new_session: Callable[[], boto3.Session], lasts_seconds: float, clock: Clock
) -> boto3.Session:
    """A session whose keys are fetched anew before they expire.

    Args:
        new_session: Gives a session with fresh keys. Its region is taken, too.
    """
    import boto3
    from botocore.credentials import (
        CredentialProvider,
        CredentialResolver,
        RefreshableCredentials,
    )
    from botocore.session import get_session

    def keys_of(session: boto3.Session) -> dict[str, str | None]:
        credentials = session.get_credentials()
        assert credentials is not None, "a session that assumed a role has its keys"
        keys = credentials.get_frozen_credentials()
        expires = clock.now() + timedelta(seconds=lasts_seconds)
        return {
            "access_key": keys.access_key,
            "secret_key": keys.secret_key,
            "token": keys.token,
            "expiry_time": expires.isoformat(),
        }

    first = new_session()

    class Renewing(CredentialProvider):
        METHOD = CANONICAL_NAME = "renewing"

        def load(self) -> RefreshableCredentials:
            return RefreshableCredentials.create_from_metadata(
                keys_of(first),
                lambda: keys_of(new_session()),
                self.METHOD,
                # Early enough for keys of 15 minutes, which botocore's own times are not.
                advisory_timeout=int(lasts_seconds / 3),
                mandatory_timeout=int(lasts_seconds / 6),
            )

    session = get_session()
    session.register_component("credential_provider", CredentialResolver([Renewing()]))
    return boto3.Session(botocore_session=session, region_name=first.region_name)
