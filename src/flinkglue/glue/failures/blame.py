"""Which connections a failure speaks against. Pure.

What the message names decides. Where it names nothing, it is the connection that was expected to
carry the run. Where it names a subnet or zone of none of the connections, nobody here is to blame:
the job has others, which this project does not order.
"""

from __future__ import annotations

from flinkglue.glue.failures.classification import Failure
from flinkglue.glue.failures.rule import Blame, FailureClass
from flinkglue.glue.models import RankedConnection, Ranking


def blamed_connections(
    ranking: Ranking, failure: Failure, expected_name: str | None
) -> list[RankedConnection]:
    """The connections to put on cooldown, the one that was expected before the others.

    Args:
        failure: How it failed; one that another connection would not help speaks against none.
        expected_name: The connection that was expected to carry the run.
    """
    if failure.failure_class is not FailureClass.FAIL_OVER:
        return []
    candidates = sorted(
        (c for c in ranking.connections if c.subnet_id),
        key=lambda c: c.connection_name != expected_name,
    )
    if failure.subnet_id:
        return [c for c in candidates if c.subnet_id == failure.subnet_id]
    if failure.availability_zone:
        return [c for c in candidates if c.availability_zone == failure.availability_zone]
    expected = [c for c in candidates if c.connection_name == expected_name]
    return [c for c in candidates if any(_shares(c, blamed, failure.blames) for blamed in expected)]


def carried_by(
    ranking: Ranking | None, failure: Failure | None, expected_name: str | None
) -> tuple[str | None, tuple[str, ...]]:
    """The connection that carried a run, as far as is known, and others that its failure blames.

    Glue names it nowhere, but a failure that names another subnet or zone than the expected one's.

    Args:
        ranking: The order that the run was started with, where it is known.

    Returns:
        Its name, None when it is none of the ranking's; and the names of the others.
    """
    if ranking is None or failure is None:
        return expected_name, ()
    blamed = [c.connection_name for c in blamed_connections(ranking, failure, expected_name)]
    carrier = expected_name
    if failure.failure_class is FailureClass.FAIL_OVER and failure.names_a_place:
        carrier = blamed[0] if blamed else None
    return carrier, tuple(name for name in blamed if name != carrier)


def _shares(connection: RankedConnection, blamed: RankedConnection, what: Blame) -> bool:
    if connection.connection_name == blamed.connection_name:
        return True
    if what is Blame.ZONE:
        zone = blamed.availability_zone
        return zone is not None and connection.availability_zone == zone
    return what is Blame.SUBNET and connection.subnet_id == blamed.subnet_id
