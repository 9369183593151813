"""Keys of artifacts: each job has its own, so that a key's history is that of one job. Pure.

A key holds lowercase letters, digits and dashes only, and a job's name may hold anything. Two
names never get the same key: one that had to be changed has digits of a hash behind it.
"""

from __future__ import annotations

import re
from enum import StrEnum
from hashlib import sha256

from flinkglue.glue.models import JobPlace

READABLE_CHARACTERS = 60
_HASH_CHARACTERS = 12
_ENDS_AS_A_HASH = rf"(?:.*-)?[0-9a-f]{{{_HASH_CHARACTERS}}}\Z"
_PLAIN = re.compile(rf"(?!{_ENDS_AS_A_HASH})[a-z0-9]+(?:-[a-z0-9]+)*")


class Kind(StrEnum):
    """What an artifact shows of a job; none begins as another one and a dash."""

    GLUE_RUN = "glue-job-run"
    GLUE_CHOICE = "connection-ranking"
    GLUE_DEFINITION = "glue-job-definition"
    FLINK_ACTION = "flink-action"
    FLINK_CHANGES = "flink-changes"
    FLINK_SAVEPOINTS = "flink-savepoints"
    FLINK_JOB = "flink-job"
    FLINK_DASHBOARD = "flink-dashboard"
    AZURE_PORTAL = "azure-portal"

    @classmethod
    def of(cls, key: str) -> str:
        """The kind of a key; a key that is of no job stays as it is."""
        return next((kind for kind in cls if key.startswith(f"{kind}-")), key)


def artifact_key(kind: Kind, name: str, place: str = "", *, place_is_read: bool = False) -> str:
    """The key of what is shown of a job.

    Args:
        place: Where the job is, when its name means another one elsewhere.
        place_is_read: Whether people are to read the place in the key, too.
    """
    if not place and len(name) <= READABLE_CHARACTERS and _PLAIN.fullmatch(name):
        return f"{kind}-{name}"
    shown = f"{name}-{place}" if place_is_read else name
    readable = re.sub(r"[^a-z0-9]+", "-", shown.lower())[:READABLE_CHARACTERS].strip("-")
    digits = sha256(f"{place}\0{name}".encode(errors="surrogatepass")).hexdigest()
    return "-".join(part for part in (kind, readable, digits[:_HASH_CHARACTERS]) if part)


def glue_key(kind: Kind, job_name: str, place: JobPlace) -> str:
    """The key of what is shown of a Glue job by its AWS Credentials block and region."""
    return glue_keys(kind, job_name, place)[0]


def glue_keys(kind: Kind, job_name: str, place: JobPlace) -> tuple[str, ...]:
    """`glue_key`, and those that a flow run which goes on may have begun its page with."""
    names = (place.name, *place.earlier_names)
    return tuple(artifact_key(kind, job_name, name, place_is_read=True) for name in names)
