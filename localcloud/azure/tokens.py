"""Access tokens: signed by Entra ID, checked by Key Vault and Azure Resource Manager."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from localcloud.azure.timings import AzureTimings
from localcloud.kept_file import kept

ALGORITHM = "RS256"


class Refusal(Enum):
    """Why a token was refused; each service has its own words for it."""

    MISSING = "missing"
    INVALID = "invalid"
    EXPIRED = "expired"
    AUDIENCE = "audience"


class TokenRefused(Exception):
    """The caller did not present a good token.

    Args:
        refusal: Why.
        expired_at: For an expired token, when it expired, in seconds since the epoch.
        audience: For a token that was meant for somebody else, for whom.
    """

    def __init__(self, refusal: Refusal, *, expired_at: float = 0.0, audience: str = "") -> None:
        self.refusal = refusal
        self.expired_at = expired_at
        self.audience = audience
        super().__init__(refusal.value)


@dataclass(frozen=True)
class Principal:
    """Who called, as the token tells."""

    client_id: str
    object_id: str
    tenant_id: str


class TokenAuthority:
    """Issues tokens and checks them.

    Args:
        key_file: Where the signing key is kept; made when it is missing.
        tenant_id: The one tenant.
        timings: Says how long a token is good.
        now: The time in seconds since the epoch.
    """

    def __init__(
        self,
        key_file: Path,
        tenant_id: str,
        timings: AzureTimings,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._key = _load_or_create_key(key_file)
        self._tenant_id = tenant_id
        self._issuer = f"https://sts.windows.net/{tenant_id}/"
        self._timings = timings
        self._now = now
        self._lock = threading.Lock()
        self._live: dict[str, float] = {}
        self._expired: dict[str, float] = {}
        public = json.loads(RSAAlgorithm.to_jwk(self._key.public_key()))
        self._key_id = str(uuid.uuid5(uuid.NAMESPACE_OID, public["n"]))
        self._jwk = {"kty": "RSA", "use": "sig", "kid": self._key_id, **public}

    def key_set(self) -> dict[str, Any]:
        """The public keys, as a JSON Web Key Set."""
        return {"keys": [self._jwk]}

    def issue(self, client_id: str, object_id: str, audience: str) -> tuple[str, int]:
        """A signed token and its lifetime in whole seconds."""
        issued_at = int(self._now())
        lifetime_seconds = int(self._timings.token_lifetime_seconds)
        token_id = uuid.uuid4().hex
        claims: dict[str, Any] = {
            "aud": audience,
            "iss": self._issuer,
            "iat": issued_at,
            "nbf": issued_at,
            "exp": issued_at + lifetime_seconds,
            "appid": client_id,
            "appidacr": "1",
            "idp": self._issuer,
            "idtyp": "app",
            "oid": object_id,
            "sub": object_id,
            "tid": self._tenant_id,
            "uti": token_id,
            "ver": "1.0",
        }
        with self._lock:
            self._live[token_id] = float(claims["exp"])
        return jwt.encode(
            claims, self._key, algorithm=ALGORITHM, headers={"kid": self._key_id}
        ), lifetime_seconds

    def expire_all(self) -> int:
        """Refuse every token issued until now as expired; returns how many were still good."""
        now = self._now()
        with self._lock:
            good = [token_id for token_id, expires_at in self._live.items() if expires_at > now]
            self._expired.update(dict.fromkeys(good, now))
            self._live.clear()
        return len(good)

    def check(self, authorization: str | None, audiences: tuple[str, ...]) -> Principal:
        """Who presents this ``Authorization`` header.

        Raises:
            TokenRefused: There is no bearer token, or it is not good for any of the audiences.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise TokenRefused(Refusal.MISSING)
        claims = self._verified_claims(token.strip())
        if claims["aud"] not in audiences:
            raise TokenRefused(Refusal.AUDIENCE, audience=claims["aud"])
        expired_at = self._expired.get(claims["uti"], float(claims["exp"]))
        if expired_at <= self._now():
            raise TokenRefused(Refusal.EXPIRED, expired_at=expired_at)
        return Principal(claims["appid"], claims["oid"], claims["tid"])

    def _verified_claims(self, token: str) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key.public_key(),
                algorithms=[ALGORITHM],
                # Expiry and audience are checked by hand: the services tell them apart.
                options={
                    "verify_aud": False,
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                    "require": ["aud", "exp", "iss", "appid", "oid", "tid", "uti"],
                },
                issuer=self._issuer,
            )
        except jwt.PyJWTError:
            raise TokenRefused(Refusal.INVALID) from None
        return claims


def _load_or_create_key(key_file: Path) -> rsa.RSAPrivateKey:
    loaded = serialization.load_pem_private_key(kept(key_file, _new_key), password=None)
    assert isinstance(loaded, rsa.RSAPrivateKey)
    return loaded


def _new_key() -> bytes:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
