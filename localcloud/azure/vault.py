"""The state of a key vault: secrets and their versions."""

from __future__ import annotations

import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from localcloud.part import Refused

_NAME = re.compile(r"[0-9a-zA-Z-]{1,127}")


class VaultRefused(Refused):
    """Key Vault answers with an error.

    Args:
        status: The HTTP status.
        code: For example ``SecretNotFound``.
        message: In the words of Key Vault.
        inner_code: The code of the inner error, if there is one.
    """

    def __init__(self, status: int, code: str, message: str, inner_code: str | None = None) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.inner_code = inner_code
        super().__init__(f"{code}: {message}")


@dataclass
class SecretVersion:
    """One version of a secret."""

    name: str
    value: str
    created: int
    updated: int
    version: str = field(default_factory=lambda: uuid.uuid4().hex)
    enabled: bool = True
    not_before: int | None = None
    expires: int | None = None
    content_type: str | None = None
    tags: dict[str, str] = field(default_factory=dict)

    def apply(self, body: Mapping[str, Any], now: int) -> None:
        """Take over attributes, tags and content type from a request; the value stays."""
        attributes = body.get("attributes") or {}
        self.enabled = bool(attributes.get("enabled", self.enabled))
        self.not_before = attributes.get("nbf", self.not_before)
        self.expires = attributes.get("exp", self.expires)
        self.content_type = body.get("contentType", self.content_type)
        self.tags = body.get("tags") or self.tags
        self.updated = now


class Vault:
    """The secrets, each with its versions from oldest to newest.

    Args:
        secrets: Name to value of what is there at first.
        now: The time in seconds since the epoch.
    """

    def __init__(self, secrets: Mapping[str, str], now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._secrets: dict[str, list[SecretVersion]] = {}
        for name, value in secrets.items():
            self.set(name, {"value": value})

    def set(self, name: str, body: Mapping[str, Any]) -> SecretVersion:
        """Add a version, which is the newest from now on.

        Raises:
            VaultRefused: The name is not allowed or there is no value.
        """
        if not _NAME.fullmatch(name):
            raise VaultRefused(
                400, "BadParameter", f"The request URI contains an invalid name: {name}"
            )
        if not isinstance(body.get("value"), str):
            raise VaultRefused(400, "BadParameter", "The parameter value is missing or invalid.")
        now = int(self._now())
        secret = SecretVersion(name, body["value"], created=now, updated=now)
        secret.apply(body, now)
        with self._lock:
            self._secrets.setdefault(name.lower(), []).append(secret)
        return secret

    def get(self, name: str, version: str = "") -> SecretVersion:
        """A version to be read; the newest when none is named.

        Raises:
            VaultRefused: It does not exist, or it is disabled.
        """
        secret = self._find(name, version)
        if not secret.enabled:
            raise VaultRefused(
                403,
                "Forbidden",
                "Operation get is not allowed on a disabled secret.",
                "SecretDisabled",
            )
        return secret

    def update(self, name: str, version: str, body: Mapping[str, Any]) -> SecretVersion:
        """Change attributes, tags or content type of a version.

        Raises:
            VaultRefused: It does not exist.
        """
        secret = self._find(name, version)
        secret.apply(body, int(self._now()))
        return secret

    def versions(self, name: str) -> list[SecretVersion]:
        """All versions of a secret.

        Raises:
            VaultRefused: There is no such secret.
        """
        self._find(name, "")
        with self._lock:
            return list(self._secrets[name.lower()])

    def newest(self) -> list[SecretVersion]:
        """The newest version of every secret, by name."""
        with self._lock:
            return [self._secrets[name][-1] for name in sorted(self._secrets)]

    def _find(self, name: str, version: str) -> SecretVersion:
        with self._lock:
            versions = self._secrets.get(name.lower(), [])
            found = [secret for secret in versions if version in ("", secret.version)]
        if not found:
            wanted = f"{name}/{version}" if version else name
            raise VaultRefused(
                404,
                "SecretNotFound",
                f"A secret with (name/id) {wanted} was not found in this key vault. If you "
                "recently deleted this secret you may be able to recover it using the correct "
                "recovery command. For help resolving this issue, please see "
                "https://go.microsoft.com/fwlink/?linkid=2125182",
            )
        return found[-1]
