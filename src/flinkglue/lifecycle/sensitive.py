"""Settings whose values are secrets, by the rule that Flink itself hides them by. Pure.

https://nightlies.apache.org/flink/flink-docs-stable/api/java/org/apache/flink/configuration/GlobalConfiguration.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flinkglue.errors import InvalidInput

HIDDEN = "******"  # what Flink shows in place of such a value
_PARTS_OF_KEYS = (
    "password",
    "secret",
    "fs.azure.account.key",
    "apikey",
    "api-key",
    "auth-params",
    "service-key",
    "token",
    "basic-auth",
    "jaas.config",
    "http-headers",
)
_SWITCHES = ("true", "false")


def is_sensitive(key: str, value: str) -> bool:
    """Whether the value of a setting is a secret; a switch like ``…tokens.enabled`` is none."""
    lower = key.lower()
    return any(part in lower for part in _PARTS_OF_KEYS) and value.lower() not in _SWITCHES


def check_no_secrets(field: str, configuration: Mapping[str, str]) -> None:
    """Refuse settings that are secrets: Flink, ARM and the records keep a job's settings readable.

    Args:
        field: The field that they were filled into.

    Raises:
        InvalidInput: One is a secret; its value is not reported.
    """
    for key, value in configuration.items():
        if is_sensitive(key, str(value)):
            raise InvalidInput(
                f"{field}[{key}]",
                HIDDEN,
                "settings that are no secrets: everybody who sees the job sees them. Set this one "
                "where the cluster is configured, or give the cluster an identity",
            )


def shown(value: Any) -> Any:
    """JSON values with those of sensitive keys hidden, however deep they lie."""
    if isinstance(value, Mapping):
        return {
            key: HIDDEN
            if isinstance(inner, str) and is_sensitive(str(key), inner)
            else shown(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [shown(inner) for inner in value]
    return value
