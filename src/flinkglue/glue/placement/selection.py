"""Choose the order of a job's connections for one run, and reserve its addresses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from flinkglue.clock import Pace
from flinkglue.errors import InvalidInput
from flinkglue.glue.api.connection_reading import joined
from flinkglue.glue.api.kept_jobs import settings_of
from flinkglue.glue.api.live_runs import list_runs
from flinkglue.glue.coordination.claims import Reservation
from flinkglue.glue.coordination.run_context import RunContext
from flinkglue.glue.coordination.slots import NoSlot, Slots, slots_of
from flinkglue.glue.coordination.start_deadline import StartDeadline
from flinkglue.glue.models import Connection, Ranking
from flinkglue.glue.placement.addresses import (
    Addresses,
    has_room,
    kept_for_the_next,
    kept_under,
)
from flinkglue.glue.placement.job_settings import warnings_about
from flinkglue.glue.placement.knowledge import Knowledge, knowledge_for
from flinkglue.glue.placement.placement_request import PlacementRequest
from flinkglue.glue.placement.ranking import check_one_vpc, rank
from flinkglue.glue.placement.readings import (
    Reading,
    brought_up_to_date,
    by_zone,
    first_reading,
    running_runs,
)
from flinkglue.glue.placement.shortage import Decision, no_place, no_room_in_words
from flinkglue.glue.placement.strategy_by_name import CalledOnce

POLL_FOR_ADDRESSES = Pace(first_seconds=5, most_seconds=20, jitter=0.5)


def select(
    context: RunContext,
    requested: PlacementRequest,
    failed: Sequence[str] = (),
    kept: Ranking | None = None,
) -> Ranking:
    """Order the connections by what their subnets have free and not reserved, and reserve.

    Waits for addresses when nothing fits and the person chose so, without holding the lock: it is
    taken only to reserve.

    Args:
        requested: What is to be run. Of a run that may have been started before,
            `search_for_starts` comes first: a new choice replaces what is reserved for it.
        failed: Connections that failed in this flow run, the earliest first.
        kept: The order of the attempt before, to be kept as long as nothing speaks against it.

    Raises:
        InvalidInput: The connections lie in several VPCs, or the strategy broke its rule.
        CallFailed: The job, its runs, all connections or the subnets could not be read, or the
            placement lock was not acquired.
        NoPlace: Nothing fits, and the person chose not to run then; or no connection can hold a run
            before somebody corrects one.
        NoSlot: The job may have no other run now. Nothing is reserved, so that others can have it.
        DeadlineExceeded: The request's deadline passed while nothing fitted. Nothing is reserved.
    """
    began_at, deadline = context.clock.monotonic(), StartDeadline(requested.run, context.clock)
    reading = first_reading(context, requested)
    job, log = reading.candidates.job, context.log
    if not reading.candidates.connection_names:
        log.info("Job %s has no connections: it runs without any", requested.job_name)
    for warning in warnings_about(requested.run.options.over(job)):
        log.warning("%s", warning)
    if requested.has_own_strategy:
        once = CalledOnce(requested.strategy, requested.strategy_name, context)
        requested = replace(requested, strategy=once)
    placing = _Placing(context, requested, failed, kept, reading, began_at)
    ranking, decision = placing.at_once()
    pauses = (context.pace or POLL_FOR_ADDRESSES).pauses()
    while True:
        if decision is Decision.START:
            return ranking
        if decision is Decision.FAIL:
            raise no_place(ranking, requested.job_name)
        no_room, pause = no_room_in_words(ranking, requested.job_name), next(pauses)
        log.info("%s; polling again in %.0f s", no_room, pause)
        context.clock.sleep(min(pause, max(0.0, deadline.left_seconds)))
        deadline.check(no_room)
        ranking, decision = placing.after_a_pause()


def preview(context: RunContext, requested: PlacementRequest) -> Ranking:
    """The order that a run would get now. Nothing is reserved, and nothing is waited for.

    Raises:
        InvalidInput: The connections lie in several VPCs, or the strategy broke its rule.
        CallFailed: The job, its runs, all connections or the subnets could not be read.
        NoSlot: The job may have no other run now.
    """
    reading, began_at = first_reading(context, requested), context.clock.monotonic()
    return _Placing(context, requested, (), None, reading, began_at).without_reserving()


@dataclass
class _Placing:
    """The placing of one run; what each part is stands at `select`."""

    context: RunContext
    requested: PlacementRequest
    failed: Sequence[str]
    kept: Ranking | None
    reading: Reading
    began_at: float

    def without_reserving(self) -> Ranking:
        """As things are now."""
        return self._ranked()[0]

    def at_once(self) -> tuple[Ranking, Decision]:
        """By what is there now, unless the run starts: a start checks what it was chosen by."""
        try:
            ranking, decision = self._by_the_reading()
        except InvalidInput:  # such as connections in several VPCs
            if self.reading.is_up_to_date:
                raise
        else:
            if decision is Decision.START or self.reading.is_up_to_date:
                return ranking, decision
        self.reading = brought_up_to_date(self.context, self.requested, self.reading)
        return self._by_the_reading()

    def _by_the_reading(self) -> tuple[Ranking, Decision]:
        """Most runs can start at once: they rank only under the lock.

        Ranking in advance would cost them a round trip, and all that start together would call EC2
        at the same moment. A person's own strategy may be slow, and is called without the lock
        first. A run that is there already is adopted, and keeps what its process reserved for it.
        """
        if self._is_listed:
            return self.without_reserving(), Decision.START
        if self.requested.has_own_strategy:
            return self._without_the_lock_first()
        return self._under_the_lock()

    def after_a_pause(self) -> tuple[Ranking, Decision]:
        """The runs are read again, and nobody waits for the lock in vain."""
        listed_at = self.context.clock.now()
        runs = list_runs(self.context.client, self.requested.run)
        self.reading = replace(self.reading, runs=runs, listed_at=listed_at)
        if self._is_listed:
            return self.without_reserving(), Decision.START
        return self._without_the_lock_first(reads_live_runs=True)

    @property
    def _is_listed(self) -> bool:
        return self.requested.run.key in self.reading.runs.by_key

    def _without_the_lock_first(self, *, reads_live_runs: bool = False) -> tuple[Ranking, Decision]:
        ranking, decision = self._ranked()
        if decision is not Decision.START:
            return ranking, decision
        if reads_live_runs:
            live_runs = running_runs(self.context, self.requested, self.reading.candidates)
            self.reading = replace(self.reading, live_runs=live_runs)
        return self._under_the_lock()

    def _under_the_lock(self) -> tuple[Ranking, Decision]:
        context = self.context
        with context.coordination.claims.placing(context.client.region) as lock:
            addresses = kept_under(lock, context)
            placed = self._with_room(addresses) if addresses else None
            if addresses is None or placed is None:
                addresses = Addresses(context)
                placed = self._ranked(addresses)
            ranking, decision = placed
            if decision is Decision.START:
                lock.check()
                with kept_for_the_next(lock, context, addresses):
                    ranking = _reserved(context, ranking, self.requested, addresses)
                if ranking.reserved_at:
                    ranking = replace(ranking, listed_at=self.reading.listed_at)
                if self.reading.known_job is not None:
                    settings = settings_of(self.reading.known_job)
                    ranking = replace(ranking, job_settings=settings)
        return ranking, decision

    def _with_room(self, addresses: Addresses) -> tuple[Ranking, Decision] | None:
        """By what was read for the run before; None: it takes a reading of its own."""
        if not self._slots(addresses).free:
            return None
        ranking, decision = self._decided(addresses)
        return (ranking, decision) if has_room(ranking) else None

    def _ranked(self, addresses: Addresses | None = None) -> tuple[Ranking, Decision]:
        # Reservations before counts: the run of one that is released in between has its addresses
        # by then, and the count shows it.
        addresses = addresses or Addresses(self.context)
        slots, request = self._slots(addresses), self.requested.run
        if not slots.free and not self._is_listed:
            for own in (each for each in addresses.reservations if each.run_key == request.key):
                self.context.coordination.claims.release(own.reservation_id)
            raise NoSlot(request.job_name, slots.describe())
        return self._decided(addresses)

    def _slots(self, addresses: Addresses) -> Slots:
        reading, candidates = self.reading, self.reading.candidates
        return slots_of(
            candidates.job,
            self.requested.run,
            reading.runs,
            addresses.reservations,
            candidates.subnet_ids,
        )

    def _decided(self, addresses: Addresses) -> tuple[Ranking, Decision]:
        request, reading = self.requested.run, self.reading
        subnets = addresses.subnets(reading.candidates.subnet_ids)
        connections = joined(reading.candidates, subnets)
        self.context.client.kept_connections.forget(c.name for c in connections if c.problem)
        zones = by_zone(reading.live_runs, connections)
        knowledge = knowledge_for(request.key, addresses.reservations, addresses.cool_downs, zones)
        ranking = self._ranking_of(connections, knowledge)
        waited_seconds = self.context.clock.monotonic() - self.began_at
        return ranking, self.requested.shortage.decide(ranking, waited_seconds)

    def _ranking_of(self, connections: Sequence[Connection], knowledge: Knowledge) -> Ranking:
        requested, candidates = self.requested, self.reading.candidates
        if not requested.allow_several_vpcs:
            check_one_vpc(connections)
        demand = requested.demand(candidates.job)
        ranking = rank(
            connections,
            demand.addresses,
            requested.strategy,
            requested.seed,
            strategy_name=requested.strategy_name,
            failed=self.failed,
            knowledge=knowledge,
            given_order=candidates.connection_names,
            kept=self.kept,
        )
        to_reserve = demand.addresses_to_reserve
        return replace(ranking, needed_because=demand.because, addresses_to_reserve=to_reserve)


def _reserved(
    context: RunContext, ranking: Ranking, requested: PlacementRequest, addresses: Addresses
) -> Ranking:
    expected = ranking.expected
    if expected is None or expected.subnet_id is None:
        return ranking  # a run without a subnet takes no addresses
    reserved_at = context.clock.now()  # before the call: it lasts no longer than is believed
    reservation = context.coordination.claims.reserve(
        Reservation(
            run_key=requested.run.key,
            job_name=requested.job_name,
            connection_name=expected.connection_name,
            subnet_id=expected.subnet_id,
            availability_zone=expected.availability_zone or "",
            addresses=min(ranking.most_needed_addresses, expected.unreserved_addresses),
        )
    )
    addresses.add(reservation)
    return replace(ranking, reserved_at=reserved_at, reservation_id=reservation.reservation_id)
