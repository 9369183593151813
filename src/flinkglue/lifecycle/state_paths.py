"""Addresses of savepoints and checkpoints, which have several spellings. Pure.

Flink resolves dots and repeated slashes itself:
https://nightlies.apache.org/flink/flink-docs-stable/api/java/org/apache/flink/core/fs/Path.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote, unquote_to_bytes

# Other names for the same storage: Flink's file systems differ, what they read does not. One
# storage account has a Blob and a Data Lake endpoint.
_SAME_STORAGE = {
    "abfss": "abfs",
    "wasb": "abfs",
    "wasbs": "abfs",
    "s3a": "s3",
    "s3n": "s3",
    "s3p": "s3",
}
# What comes first in their addresses is a bucket or container, however many slashes precede it.
_OBJECT_STORES = ("s3", "abfs", "gs", "oss")
_DEFAULT_PORTS = {"hdfs": ":8020"}
_ADDRESS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?P<rest>/.*)", re.DOTALL)
_WITH_AUTHORITY = re.compile(r"//(?P<authority>[^/]*)(?P<path>.*)", re.DOTALL)
_METADATA = "_metadata"


def plain(path: str) -> str:
    """One spelling for all of an address: ``file:///dir/``, ``file:/dir`` and ``/dir`` are one.

    Only for comparing: what is sent to Flink is what was given. It is its own plain spelling.
    """
    address = _ADDRESS.fullmatch(path.strip())
    if address is None:
        relative = not path.strip().startswith("/")
        return _joined("" if relative else "file", "", path.strip())
    scheme = _SAME_STORAGE.get(address["scheme"].lower(), address["scheme"].lower())
    authority, rest = _authority(scheme, address["rest"])
    return _joined(scheme, _host(scheme, authority), rest)


def is_same_path(one: str | None, other: str | None) -> bool:
    """Whether two addresses mean the same; nothing is the same as nothing."""
    return (plain(one) if one else "") == (plain(other) if other else "")


def is_one_of(path: str | None, others: Iterable[str | None]) -> bool:
    """Whether an address means the same as one of the others."""
    return any(is_same_path(path, other) for other in others)


def distinct(paths: Iterable[str | None]) -> list[str]:
    """Each place once, in the order and by the spelling in which it came first."""
    found: dict[str, str] = {}
    for path in paths:
        if path:
            found.setdefault(plain(path), path)
    return list(found.values())


def is_below(path: str, directory: str) -> bool:
    """Whether an address lies in a directory, at any depth."""
    return plain(path).startswith(f"{plain(directory).rstrip('/')}/")


def _authority(scheme: str, rest: str) -> tuple[str, str]:
    if scheme in _OBJECT_STORES:
        rest = f"//{rest.lstrip('/')}"
    found = _WITH_AUTHORITY.fullmatch(rest)
    return (found["authority"], found["path"]) if found else ("", rest)


def _host(scheme: str, authority: str) -> str:
    """Names of hosts have no case. Those of buckets have: old ones of S3 may be in capitals."""
    if scheme == "s3":
        return authority
    host = authority.lower().removesuffix(_DEFAULT_PORTS.get(scheme, ":"))
    if scheme == "file" and host == "localhost":
        return ""
    return re.sub(r"\.blob\.", ".dfs.", host, count=1) if scheme == "abfs" else host


def _joined(scheme: str, host: str, path: str) -> str:
    segments: list[str] = []
    for segment in path.split("/"):
        step = _decoded(segment)
        if step == b".." and segments and segments[-1] != "..":
            segments.pop()
        elif step not in (b"", b"."):
            segments.append(quote(step, safe="@:=+$,;!*'()&"))
    if len(segments) > 1 and segments[-1] == _METADATA:
        segments.pop()
    if host:
        return "/".join([f"{scheme}://{host}", *segments])
    return (f"{scheme}:/" if scheme else "") + "/".join(segments)


def _decoded(segment: str) -> bytes:
    return unquote_to_bytes(segment.encode("utf-8", "surrogatepass"))
