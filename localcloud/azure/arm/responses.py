"""What a handler gets and gives, and Azure Resource Manager's own errors."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from localcloud.azure.tokens import Principal
from localcloud.part import Refused

PROVIDER = "Microsoft.HDInsight"


class ArmRefused(Refused):
    """ARM or its provider answers with an error.

    Args:
        status: The HTTP status.
        code: For example ``ResourceNotFound``.
        message: In the service's words.
        target: The property or parameter at fault.
        details: More errors, each with code, message and target.
        headers: Headers of the answer.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        target: str | None = None,
        details: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.target = target
        self.details = details
        self.headers = dict(headers or {})
        super().__init__(f"{code}: {message}")

    def body(self) -> dict[str, Any]:
        """The error as JSON."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.target:
            error["target"] = self.target
        if self.details:
            error["details"] = list(self.details)
        return {"error": error}


@dataclass(frozen=True)
class ArmRequest:
    """A request whose caller, subscription and api-version are good.

    Args:
        names: The names in the path: ``resource_group``, ``pool``, ``cluster``, ``location``, …
        query: The query string's parameters.
        body: The JSON body; None without one.
        principal: Who called.
        base_url: The address that the client used, to build links with.
        path: The path as the client wrote it.
        api_version: The requested api-version.
        detail: What the request log shows of this request.
    """

    names: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    principal: Principal
    base_url: str
    path: str
    api_version: str
    detail: dict[str, Any]

    def json_object(self) -> dict[str, Any]:
        """The body, which has to be an object.

        Raises:
            ArmRefused: It is none.
        """
        if not isinstance(self.body, dict):
            raise ArmRefused(
                400,
                "InvalidRequestContent",
                "The request content was invalid and could not be deserialized: 'A JSON object is "
                "expected.'.",
            )
        return self.body


@dataclass(frozen=True)
class ArmAnswer:
    """A good answer; a body of None is written as JSON ``null``."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


def page(request: ArmRequest, items: Sequence[Any], size: int) -> ArmAnswer:
    """One page of a list, with the link to the next one."""
    start = _start(request.query.get("$skiptoken", "0"))
    body: dict[str, Any] = {"value": list(items[start : start + size])}
    if start + size < len(items):
        query = urlencode({**request.query, "$skiptoken": start + size}, safe="$")
        body["nextLink"] = f"{request.base_url}{request.path}?{query}"
    return ArmAnswer(200, body)


def _start(skip_token: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", skip_token):
        raise ArmRefused(
            400,
            "InvalidSkipToken",
            f"Invalid $skiptoken '{skip_token}' specified in the query string.",
            target="$skiptoken",
        )
    return int(skip_token)


def resource_not_found(resource_type: str, names: str, resource_group: str) -> ArmRefused:
    """The resource does not exist."""
    types_and_names = "/".join(
        part
        for pair in zip(resource_type.split("/"), names.split("/"), strict=True)
        for part in pair
    )
    return ArmRefused(
        404,
        "ResourceNotFound",
        f"The Resource '{PROVIDER}/{types_and_names}' under resource group '{resource_group}' was "
        "not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    )


def parent_not_found(resource_type: str, parent_id: str, verb: str) -> ArmRefused:
    """The resource's parent does not exist."""
    return ArmRefused(
        404,
        "ParentResourceNotFound",
        f"Failed to perform '{verb}' on resource(s) of type '{resource_type}', because the parent "
        f"resource '{parent_id}' could not be found.",
    )
