"""What subnets have free, and what of it is not to be counted on, as it is read under a lock.

Who places a run reads the reservations first and EC2's counts after them: the run of a reservation
that is released in between has its addresses by then, and the counts show it. So each address that
a run of this project takes is missing from the counts or reserved, or both.

That holds as well for counts that are read after older reservations, as long as nobody reserves
meanwhile. Only the holder of the placement lock does, so what was read under it serves the threads
to which it is handed on, with what they reserve themselves added. What others have released since
is counted twice, for the seconds in which a process hands the lock on: so it serves only where
there is room for the run in each of its subnets all the same, and is read again otherwise.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

from flinkglue.glue.coordination.claims import Reservation
from flinkglue.glue.coordination.lock import HeldLock
from flinkglue.glue.coordination.run_context import RunContext
from flinkglue.glue.models import CoolDown, Group, Ranking, Subnet

KEPT_AS = "addresses"


class Addresses:
    """One reading of reservations and cooldowns, and counts that were read later.

    Args:
        context: The account, and what other flow runs reserved.
    """

    def __init__(self, context: RunContext) -> None:
        self._client = context.client
        self._reserved = {
            each.reservation_id: each for each in context.coordination.claims.reservations()
        }
        self.cool_downs: Sequence[CoolDown] = context.coordination.cool_downs.live()
        self._read: dict[str, Subnet | None] = {}

    @property
    def reservations(self) -> list[Reservation]:
        """Those that were read, and those that were made since."""
        return [*self._reserved.values()]

    def subnets(self, subnet_ids: Collection[str]) -> Mapping[str, Subnet]:
        """The subnets that exist, each as it was read first.

        Raises:
            CallFailed: They could not be read.
        """
        if new := {*subnet_ids} - self._read.keys():
            found = self._client.read_subnets(new)
            self._read |= {subnet_id: found.get(subnet_id) for subnet_id in new}
        return {each: subnet for each in subnet_ids if (subnet := self._read[each])}

    def add(self, reservation: Reservation) -> None:
        """The holder of the lock has just reserved this, in place of any other of its run."""
        self._reserved = {
            each.reservation_id: each
            for each in self._reserved.values()
            if each.run_key != reservation.run_key
        } | {reservation.reservation_id: reservation}


def kept_under(lock: HeldLock, context: RunContext) -> Addresses | None:
    """What a holder read of this account before the lock was handed on; None: nobody did."""
    kept = lock.kept.get(KEPT_AS)
    if kept is None or kept[0] is not context.client.account:
        return None
    addresses: Addresses = kept[1]
    return addresses


@contextmanager
def kept_for_the_next(lock: HeldLock, context: RunContext, addresses: Addresses) -> Iterator[None]:
    """Leave it to those to whom the lock is handed on, if what is reserved in the block is in it.

    Nothing is left after a failure, which may have reserved addresses all the same.
    """
    lock.kept.pop(KEPT_AS, None)
    yield
    lock.kept[KEPT_AS] = (context.client.account, addresses)


def has_room(ranking: Ranking) -> bool:
    """Whether each connection has all that the run may take, so that all of it is reserved.

    Where one seems to have less, a reading of its own may show what was released since. Of several
    that have it, such a reading could put another one first.
    """
    return all(
        ranked.group is Group.GOOD
        and not ranked.cooled_down
        and not ranked.problem
        and (
            ranked.subnet_id is None or ranked.unreserved_addresses >= ranking.most_needed_addresses
        )
        for ranked in ranking.connections
    )
