"""The eleven actions. Pure."""

from __future__ import annotations

from enum import StrEnum


class Action(StrEnum):
    """The eleven actions, by the names that HDInsight on AKS gave them."""

    NEW = "NEW"
    START = "START"
    STOP = "STOP"
    UPDATE = "UPDATE"
    STATELESS_UPDATE = "STATELESS_UPDATE"
    LAST_STATE_UPDATE = "LAST_STATE_UPDATE"
    SAVEPOINT = "SAVEPOINT"
    LIST_SAVEPOINT = "LIST_SAVEPOINT"
    CANCEL = "CANCEL"
    DELETE = "DELETE"
    RE_LAUNCH = "RE_LAUNCH"


LAUNCHING = (
    Action.NEW,
    Action.START,
    Action.UPDATE,
    Action.STATELESS_UPDATE,
    Action.LAST_STATE_UPDATE,
    Action.RE_LAUNCH,
)
"""The actions that start a job."""
