"""Which flow runs of a worker just wait, as its record says it. Pure.

The record is a Variable, which holds 5,000 characters: of each id it has the last three bytes,
four characters, and so a thousand ids beside what else it says.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any
from uuid import UUID

MOST = 1000
_KEY = "waiting"
_BYTES = 3


def written(value: Mapping[str, Any], flow_run_ids: Iterable[UUID]) -> dict[str, Any]:
    """The record's value with these flow runs as those that wait."""
    ids = b"".join(short(each) for each in islice(flow_run_ids, MOST))
    return {**value, _KEY: b64encode(ids).decode()}


def read(value: Mapping[str, Any]) -> set[bytes]:
    """The short ids in a record's value, of the version before as well; none that are readable."""
    found = value.get(_KEY, "")
    if isinstance(found, list):  # which had the last twelve hexadecimal digits of 250
        return {bytes.fromhex(each)[-_BYTES:] for each in found}
    try:
        ids = b64decode(found)
    except (binascii.Error, TypeError):  # of a version to come
        return set()
    return {ids[first : first + _BYTES] for first in range(0, len(ids), _BYTES)}


def short(flow_run_id: UUID) -> bytes:
    """The part of an id that differs between flow runs of the same moment."""
    return flow_run_id.bytes[-_BYTES:]
