"""Glue connections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from localcloud.aws.glue.errors import GlueError, entity_not_found, invalid_input
from localcloud.aws.glue.paging import page

_PAGE_SIZE = 100
_NOT_SHOWN = ("ValidateCredentials", "ValidateForComputeEnvironments")


class Connections:
    """The connections of one account and region. Not locked: its owner does that.

    Args:
        now: The time in seconds since the epoch.
        subnet_exists: Whether EC2 knows a subnet id.
    """

    def __init__(self, now: Callable[[], float], subnet_exists: Callable[[str], bool]) -> None:
        self._now = now
        self._subnet_exists = subnet_exists
        self._connections: dict[str, dict[str, Any]] = {}

    def __contains__(self, connection_name: str) -> bool:
        return connection_name in self._connections

    def find(self, connection_name: str) -> dict[str, Any] | None:
        """The stored connection, None if there is none of that name."""
        return self._connections.get(connection_name)

    def create(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """CreateConnection."""
        name = request["ConnectionInput"]["Name"]
        if name in self._connections:
            raise GlueError("AlreadyExistsException", f"Connection {name} already exists.")
        self._store(name, request["ConnectionInput"])
        return {"CreateConnectionStatus": "READY"}

    def get(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """GetConnection."""
        connection = self._found(request["Name"])
        return {"Connection": _shown(connection, hide_password=request.get("HidePassword", False))}

    def get_all(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """GetConnections."""
        wanted = request.get("Filter", {})
        matching = [
            connection
            for _, connection in sorted(self._connections.items())
            if _matches(connection, wanted)
        ]
        shown, next_token = page(
            matching,
            lambda connection: str(connection["Name"]),
            request.get("NextToken"),
            request.get("MaxResults", _PAGE_SIZE),
        )
        hide = request.get("HidePassword", False)
        answer = {"ConnectionList": [_shown(each, hide_password=hide) for each in shown]}
        return answer | ({"NextToken": next_token} if next_token else {})

    def update(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """UpdateConnection: the whole definition is replaced; the name cannot change."""
        name = request["Name"]
        created_at = self._found(name)["CreationTime"]
        if request["ConnectionInput"]["Name"] != name:
            raise invalid_input("Connection name in the request and in ConnectionInput differ.")
        self._store(name, request["ConnectionInput"], created_at)
        return {}

    def delete(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """DeleteConnection. Jobs that name the connection keep its name."""
        self._found(request["ConnectionName"])
        del self._connections[request["ConnectionName"]]
        return {}

    def batch_delete(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """BatchDeleteConnection."""
        succeeded, errors = [], {}
        for name in request["ConnectionNameList"]:
            if self._connections.pop(name, None) is None:
                errors[name] = _not_found_detail(name)
            else:
                succeeded.append(name)
        return {"Succeeded": succeeded, "Errors": errors}

    def test(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """TestConnection: the subnet is looked up; nothing behind it is tried."""
        if ("ConnectionName" in request) == ("TestConnectionInput" in request):
            raise invalid_input("Provide either ConnectionName or TestConnectionInput.")
        if "TestConnectionInput" in request:
            return {}
        connection = self._found(request["ConnectionName"])
        subnet_id = subnet_id_of(connection)
        if subnet_id is not None and not self._subnet_exists(subnet_id):
            raise invalid_input(f"The subnet ID '{subnet_id}' does not exist")
        connection["LastConnectionValidationTime"] = self._now()
        return {}

    def _found(self, connection_name: str) -> dict[str, Any]:
        connection = self.find(connection_name)
        if connection is None:
            raise entity_not_found(f"Connection {connection_name} not found.")
        return connection

    def _store(
        self, name: str, definition: Mapping[str, Any], created_at: float | None = None
    ) -> None:
        now = self._now()
        kept = {key: value for key, value in definition.items() if key not in _NOT_SHOWN}
        self._connections[name] = {
            **kept,
            "CreationTime": now if created_at is None else created_at,
            "LastUpdatedTime": now,
            "Status": "READY",
            "ConnectionSchemaVersion": 1,
        }


def subnet_id_of(connection: Mapping[str, Any]) -> str | None:
    """The subnet that a connection leads to, None for one without a network of its own."""
    return connection.get("PhysicalConnectionRequirements", {}).get("SubnetId")


def _matches(connection: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    has_criteria = set(wanted.get("MatchCriteria", [])) <= set(connection.get("MatchCriteria", []))
    return has_criteria and all(
        connection.get(name) == wanted[name]
        for name in ("ConnectionType", "ConnectionSchemaVersion")
        if name in wanted
    )


def _shown(connection: Mapping[str, Any], *, hide_password: bool) -> dict[str, Any]:
    shown = dict(connection)
    properties = connection.get("ConnectionProperties", {})
    if hide_password and "PASSWORD" in properties:
        shown["ConnectionProperties"] = {
            key: value for key, value in properties.items() if key != "PASSWORD"
        }
    authentication = connection.get("AuthenticationConfiguration")
    if authentication is not None:
        shown["AuthenticationConfiguration"] = _without_credentials(authentication)
    return shown


def _without_credentials(authentication: Mapping[str, Any]) -> dict[str, Any]:
    """Credentials are taken in and never given out, as the model's output shape has it."""
    shown = {
        key: authentication[key]
        for key in ("AuthenticationType", "SecretArn", "KmsKeyArn")
        if key in authentication
    }
    if "OAuth2Properties" in authentication:
        hidden = ("AuthorizationCodeProperties", "OAuth2Credentials")
        properties = authentication["OAuth2Properties"].items()
        shown["OAuth2Properties"] = {key: value for key, value in properties if key not in hidden}
    return shown


def _not_found_detail(connection_name: str) -> dict[str, str]:
    error = entity_not_found(f"Connection {connection_name} not found.")
    return {"ErrorCode": error.code, "ErrorMessage": error.message}
