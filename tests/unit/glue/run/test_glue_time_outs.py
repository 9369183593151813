"""How long a service that hangs may hold things up."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.config import Config

from flinkglue.glue.client import GlueClient
from flinkglue.lease import TRUSTED_SHARE
from flinkglue.prefect.store.variable_locks import LEASE_SECONDS


class Noted(boto3.Session):
    """Notes what each service's client is made with."""

    def __init__(self) -> None:
        super().__init__("key", "secret", region_name="eu-west-1")
        self.configs: dict[str, Config] = {}

    def client(self, service_name: str, **options: Any) -> Any:  # type: ignore[override]
        client = super().client(service_name, **options)
        self.configs[service_name] = client.meta.config
        return client


@pytest.fixture
def configs() -> dict[str, Any]:
    session = Noted()
    GlueClient.connect(session)
    return session.configs


def longest_seconds(config: Any) -> float:
    """All tries of one call to a service that does not answer, with the pauses between them."""
    tries = config.retries["total_max_attempts"]
    pauses = sum(min(2**n, 20) for n in range(tries - 1))  # botocore's standard retry mode
    return float(tries * (config.connect_timeout + config.read_timeout) + pauses)


def test_free_addresses_are_read_within_the_time_that_a_lease_is_trusted(
    configs: dict[str, Any],
) -> None:
    """They are read under the placement lock."""
    assert longest_seconds(configs["ec2"]) < TRUSTED_SHARE * LEASE_SECONDS


def test_a_read_of_logs_ends_before_the_next_attempt_has_to_start(configs: dict[str, Any]) -> None:
    assert longest_seconds(configs["logs"]) < 10
