"""A savepoint or checkpoint to start from: refused when it is not there, before anything ends."""

from __future__ import annotations

from flinkglue.errors import InvalidInput
from flinkglue.lifecycle.backend import CannotList
from flinkglue.lifecycle.models import JobView
from flinkglue.lifecycle.state.known import may_be_stored, newest_known
from flinkglue.lifecycle.transaction import Transaction

_ALLOWED = "a complete savepoint or retained checkpoint, by its whole address"


def check_named(tx: Transaction) -> bool:
    """Whether the state that the request names is known to be there; True when it names none.

    Raises:
        InvalidInput: It is known not to be.
        Refused: It is being disposed of.
    """
    path = tx.request.savepoint_path
    if path is None:
        return True
    ledger = tx.journal.savepoints_at(path)
    if any(savepoint.disposal_began for savepoint in ledger):
        raise tx.refuse(f"the savepoint {path} is being disposed of", "Name another one.")
    try:
        if tx.backend.stored_at(path) is not None:
            return True
    except CannotList as error:
        tx.say(f"whether {path} is there was not checked: {error}")
        return any(savepoint.is_whole for savepoint in ledger)
    raise InvalidInput("savepoint", path, f"{_ALLOWED}: there is no _metadata in this one")


def newest_savepoint(tx: Transaction, view: JobView | None) -> str | None:
    """The newest savepoint of the job, by all that reports one; None when there is none.

    Args:
        view: The job as its service shows it, ended; None: the service does not know it.

    Raises:
        Refused: The newest one is gone, as far as is known, or which is the newest cannot be
            decided. Another one is for a person to name.
    """
    newest = newest_known(tx, view)
    if newest is None:
        return None
    why = "" if newest.is_whole else "was given to Flink with CLAIM, which deletes it"
    why = "is being disposed of" if newest.disposal_began else why
    if why or not may_be_stored(tx, newest.path):
        raise tx.refuse(
            f"the newest savepoint {newest.path} {why or 'is gone from storage'}",
            "LIST_SAVEPOINT shows the older ones: name the one to resume from in savepoint.",
        )
    return newest.path
