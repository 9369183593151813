"""The names of Blob storage's operations in the request log, and how it words an error."""

from __future__ import annotations

import re
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from starlette.responses import Response

from localcloud.part import Operation
from localcloud.web.wire import AsgiApp, Fault, Scope

SERVICE = "blob"
OTHER = "Other"

# Method, depth (0 account, 1 container, 2 blob) and comp tell the operation, as in the reference:
# https://learn.microsoft.com/rest/api/storageservices/blob-service-rest-api
_NAMES = {
    ("GET", 0, "list"): ("ListContainers", "The containers of the account."),
    ("PUT", 1, ""): ("CreateContainer", "Create a container."),
    ("GET", 1, ""): ("GetContainerProperties", "Whether a container exists."),
    ("HEAD", 1, ""): ("GetContainerProperties", "Whether a container exists."),
    ("DELETE", 1, ""): ("DeleteContainer", "Delete a container."),
    ("GET", 1, "list"): ("ListBlobs", "The blobs of a container."),
    ("PUT", 2, ""): ("PutBlob", "Create or replace a blob in one request."),
    ("GET", 2, ""): ("GetBlob", "Read a blob."),
    ("HEAD", 2, ""): ("GetBlobProperties", "Size, hash and metadata of a blob."),
    ("DELETE", 2, ""): ("DeleteBlob", "Delete a blob."),
    ("PUT", 2, "block"): ("PutBlock", "Upload a part of a blob."),
    ("PUT", 2, "blocklist"): ("PutBlockList", "Join the uploaded parts."),
    ("GET", 2, "blocklist"): ("GetBlockList", "The uploaded parts."),
    ("PUT", 2, "metadata"): ("SetBlobMetadata", "Replace the metadata of a blob."),
    ("PUT", 2, "properties"): ("SetBlobProperties", "Replace the headers of a blob."),
}
_OTHER_DESCRIPTION = "Everything else that Azurite serves."
_CODES = {500: "InternalError", 503: "ServerBusy"}
_THROTTLED = 503  # https://learn.microsoft.com/azure/storage/blobs/scalability-targets


def operation_name(scope: Scope) -> str:
    """The operation of a request; the account's name comes first in the path."""
    levels = [level for level in scope["path"].split("/", 3)[1:] if level]
    query = parse_qs(scope["query_string"].decode())
    comp = query.get("comp", [""])[0]
    return _NAMES.get((scope["method"], len(levels) - 1, comp), (OTHER, ""))[0]


def operations() -> list[Operation]:
    """All of them, for the generated page."""
    named = dict([*_NAMES.values(), (OTHER, _OTHER_DESCRIPTION)])
    return [Operation(SERVICE, name, description) for name, description in named.items()]


def refuse(fault: Fault, scope: Scope) -> AsgiApp:
    """An error as Azure Storage words it."""
    status = _THROTTLED if fault.kind == "throttle" else fault.status
    code = _CODES.get(status) or re.sub(r"\W", "", fault.kind.title())
    return Response(
        '<?xml version="1.0" encoding="utf-8"?>'
        f"<Error><Code>{code}</Code><Message>{escape(fault.message)}</Message></Error>",
        status_code=status,
        media_type="application/xml",
        headers={"x-ms-error-code": code},
    )
