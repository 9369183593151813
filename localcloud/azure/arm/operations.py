"""Long-running operations: their links, and what polling them answers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from localcloud.azure.arm.responses import PROVIDER, ArmAnswer, ArmRefused, ArmRequest

ACCEPTED = "Accepted"
DELETING = "Deleting"
SUCCEEDED = "Succeeded"
FAILED = "Failed"

_TICKS_PER_SECOND = 10_000_000
_EPOCH_IN_TICKS = 621_355_968_000_000_000


@dataclass
class Failure:
    """How an operation is going to fail."""

    code: str
    message: str


@dataclass
class OperationStatus:
    """One long-running operation.

    Args:
        name: ``{guid}*{64 hex}``, as in the recordings.
        link: The path and query to poll, signed.
        resource_id: What is operated on.
        started_at: Seconds since the epoch.
        due_at: When it ends.
        pending: The status until then.
        properties: What a success carries.
        failure: Set when it is going to fail.
        finish: Called once with whether it succeeded, when it has ended.
        progress: Whether what it does is done, or why it never will be; until then it is not due.
    """

    name: str
    link: str
    resource_id: str
    started_at: float
    due_at: float
    pending: str
    properties: Mapping[str, Any] | None
    failure: Failure | None
    finish: Callable[[bool], None]
    progress: Callable[[], bool | Failure]
    ended: bool = field(default=False)

    @property
    def status(self) -> str:
        """Accepted or Deleting, then Succeeded or Failed."""
        if not self.ended:
            return self.pending
        return FAILED if self.failure else SUCCEEDED

    def view(self) -> dict[str, Any]:
        """The body of a poll."""
        body: dict[str, Any] = {
            "id": self.link.partition("?")[0],
            "name": self.name,
            "resourceId": self.resource_id,
            "status": self.status,
            "startTime": timestamp(self.started_at),
        }
        if self.ended:
            body["endTime"] = timestamp(self.due_at)
            body["properties"] = None if self.failure else self.properties
            if self.failure:
                body["error"] = {"code": self.failure.code, "message": self.failure.message}
        return body


class OperationStatuses:
    """All operations of the subscription. Time moves them: ``settle`` ends those that are due.

    Args:
        subscription_id: In the links.
        now: The time in seconds since the epoch.
    """

    def __init__(self, subscription_id: str, now: Callable[[], float]) -> None:
        self._subscription_id = subscription_id
        self._now = now
        self._lock = threading.RLock()
        self._key = secrets.token_bytes(32)
        self._operations: dict[str, OperationStatus] = {}
        self._planned_failures: list[Failure] = []

    def fail_next(self, code: str, message: str, times: int) -> None:
        """Let the next operations fail."""
        with self._lock:
            self._planned_failures.extend(Failure(code, message) for _ in range(times))

    def fail_next_none(self) -> None:
        """Forget the failures that were planned."""
        with self._lock:
            self._planned_failures.clear()

    def begin(
        self,
        request: ArmRequest,
        resource_id: str,
        location: str,
        seconds: float,
        *,
        pending: str = ACCEPTED,
        properties: Mapping[str, Any] | None = None,
        finish: Callable[[bool], None] = lambda succeeded: None,
        progress: Callable[[], bool | Failure] = lambda: True,
    ) -> OperationStatus:
        """Start an operation that ends after so many seconds, and not before it is done."""
        with self._lock:
            failure = self._planned_failures.pop(0) if self._planned_failures else None
        name = f"{uuid.uuid4()}*{secrets.token_hex(32).upper()}"
        started_at = self._now()
        operation = OperationStatus(
            name=name,
            link=self._link(name, location, request.api_version, started_at),
            resource_id=resource_id,
            started_at=started_at,
            due_at=started_at + seconds,
            pending=pending,
            properties=properties,
            failure=failure,
            finish=finish,
            progress=progress,
        )
        with self._lock:
            self._operations[name] = operation
        return operation

    def settle(self) -> None:
        """End all operations that are due."""
        now = self._now()
        with self._lock:
            due = [
                operation
                for operation in self._operations.values()
                if not operation.ended and operation.due_at <= now
            ]
            for operation in due:
                done = operation.failure or operation.progress()
                if done is False:
                    continue
                operation.failure = done if isinstance(done, Failure) else None
                operation.ended = True
                operation.finish(operation.failure is None)

    def poll(self, request: ArmRequest) -> ArmAnswer:
        """The answer to following an operation's link; a pending deletion answers 202.

        Raises:
            ArmRefused: The link was not given out like this.
        """
        with self._lock:
            operation = self._operations.get(request.names["operation"])
        query = _without_api_version(operation.link.partition("?")[2]) if operation else {}
        if operation is None or any(request.query.get(name) != query[name] for name in query):
            raise ArmRefused(
                404,
                "OperationStatusNotFound",
                f"The operation status '{request.names['operation']}' could not be found.",
            )
        if operation.status == DELETING:
            return ArmAnswer(202, operation.view(), links(request.base_url, operation))
        return ArmAnswer(200, operation.view())

    def _link(self, name: str, location: str, api_version: str, at: float) -> str:
        path = (
            f"/subscriptions/{self._subscription_id}/providers/{PROVIDER}/locations/"
            f"{location.upper()}/operationStatuses/{name}"
        )
        ticks = int(at * _TICKS_PER_SECOND) + _EPOCH_IN_TICKS
        signature = hmac.digest(self._key, f"{path}{ticks}".encode(), "sha256")
        parts = {
            "api-version": api_version,
            "t": str(ticks),
            "c": _base64(secrets.token_bytes(96)),
            "s": _base64(signature),
            "h": _base64(hashlib.sha256(path.encode()).digest()),
        }
        return f"{path}?" + "&".join(f"{name}={value}" for name, value in parts.items())


def links(base_url: str, operation: OperationStatus) -> dict[str, str]:
    """The same address twice, and no Retry-After, as recorded."""
    url = base_url + operation.link
    return {"Location": url, "Azure-AsyncOperation": url}


def timestamp(at: float) -> str:
    """A time as ARM writes it, with seven digits after the point."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _without_api_version(query: str) -> dict[str, str]:
    parts = dict(part.split("=", 1) for part in query.split("&"))
    del parts["api-version"]
    return parts
