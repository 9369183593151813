"""Who may do what where, and how ARM says no."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

from localcloud.azure.arm.responses import PROVIDER, ArmRefused
from localcloud.azure.directory import MANAGEMENT
from localcloud.azure.tokens import Principal, Refusal, TokenRefused

AUDIENCES = (
    "https://management.core.windows.net/",
    "https://management.core.windows.net",
    f"{MANAGEMENT}/",
    MANAGEMENT,
)


@dataclass(frozen=True)
class RoleAssignment:
    """What a principal may do at and below a scope.

    Args:
        object_id: The principal.
        scope: A resource, or what it lies in.
        actions: The role's; ``*`` stands for any text, and case does not count.
    """

    object_id: str
    scope: str
    actions: tuple[str, ...] = (f"{PROVIDER}/*",)

    def allows(self, principal: Principal, action: str, scope: str) -> bool:
        """Whether the principal may do this on this scope."""
        mine, asked = self.scope.lower(), scope.lower()
        return (
            principal.object_id == self.object_id
            and f"{asked}/".startswith(f"{mine}/")
            and any(fnmatchcase(action.lower(), allowed.lower()) for allowed in self.actions)
        )


def actions_of(role_definition: Path) -> tuple[str, ...]:
    """The actions of a custom role, as ``az role definition create`` takes it."""
    return tuple(json.loads(role_definition.read_text())["Actions"])


def authorize(
    assignments: Iterable[RoleAssignment], principal: Principal, action: str, scope: str
) -> None:
    """Refuse an action without a role that has it at the scope or above.

    Raises:
        ArmRefused: 403 AuthorizationFailed.
    """
    if not any(assignment.allows(principal, action, scope) for assignment in assignments):
        raise ArmRefused(
            403,
            "AuthorizationFailed",
            f"The client '{principal.client_id}' with object id '{principal.object_id}' does not "
            f"have authorization to perform action '{action}' over scope '{scope}' or the scope is "
            "invalid. If access was recently granted, please refresh your credentials.",
        )


def unauthenticated(refused: TokenRefused, tenant_authority: str, now: float) -> ArmRefused:
    """A refused token in ARM's words, with the header that says where to get a good one."""
    code, message = _words(refused, now)
    challenge = f'Bearer authorization_uri="{tenant_authority}"'
    if refused.refusal is not Refusal.MISSING:
        challenge += f', error="invalid_token", error_description="{message}"'
    return ArmRefused(401, code, message, headers={"WWW-Authenticate": challenge})


def _words(refused: TokenRefused, now: float) -> tuple[str, str]:
    if refused.refusal is Refusal.MISSING:
        return (
            "AuthenticationFailed",
            "Authentication failed. The 'Authorization' header is missing.",
        )
    if refused.refusal is Refusal.EXPIRED:
        return (
            "ExpiredAuthenticationToken",
            f"The access token expiry UTC time '{_us_time(refused.expired_at)}' is earlier than "
            f"current UTC time '{_us_time(now)}'.",
        )
    if refused.refusal is Refusal.AUDIENCE:
        allowed = ",".join(f"'{audience}'" for audience in AUDIENCES)
        return (
            "InvalidAuthenticationTokenAudience",
            "The access token has been obtained for wrong audience or resource "
            f"'{refused.audience}'. It should exactly match with one of the allowed audiences "
            f"{allowed}.",
        )
    return ("InvalidAuthenticationToken", "The access token is invalid.")


def _us_time(at: float) -> str:
    """A time as ARM writes it in this one message: ``3/19/2023 8:55:46 AM``."""
    time = datetime.fromtimestamp(at, UTC)
    hour = time.hour % 12 or 12
    half = "AM" if time.hour < 12 else "PM"
    return f"{time.month}/{time.day}/{time.year} {hour}:{time:%M:%S} {half}"
