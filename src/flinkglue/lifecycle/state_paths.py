"""Addresses of savepoints and checkpoints, which have several spellings. Pure."""

from __future__ import annotations

import re
from urllib.parse import unquote

# Other names for the same storage: Flink's file systems differ, what they read does not.
_SAME_STORAGE = {"abfss": "abfs", "s3a": "s3", "s3p": "s3"}
_ADDRESS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):/*(?P<rest>.*)", re.DOTALL)


def plain(path: str) -> str:
    """One spelling for all of an address: ``file:///dir/``, ``file:/dir`` and ``/dir`` are one.

    Only for comparing: what is sent to Flink is what was given.
    """
    address = _ADDRESS.fullmatch(path.strip())
    scheme = address["scheme"].lower() if address else "file"
    rest = address["rest"] if address else path.strip()
    rest = re.sub(r"/_metadata/?$", "", unquote(rest)).strip("/")
    return f"{_SAME_STORAGE.get(scheme, scheme)}:/{rest}"


def is_same_path(one: str | None, other: str | None) -> bool:
    """Whether two addresses mean the same; nothing is the same as nothing."""
    return (plain(one) if one else "") == (plain(other) if other else "")


def is_below(path: str, directory: str) -> bool:
    """Whether an address lies in a directory, at any depth."""
    return plain(path).startswith(f"{plain(directory)}/")
