"""Two contenders for one lock, in every order in which a server can get and answer their calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from flinkglue.glue.coordination.lock import KEPT_FOR_SECONDS, WORKS_FOR_SECONDS
from flinkglue.lease import Lease, has_run_out

LEASE, LAST_MOMENT = 2, 5


@dataclass(frozen=True)
class Call:
    """One that is waited for; `answer` is there when the server has done it."""

    kind: str
    sent_at: int
    record_id: int = 0
    is_done: bool = False
    answer: object = None


@dataclass(frozen=True)
class Contender:
    """What VariableLocks and VariableLock do, a call at a time.

    `given_up` are calls that are on their way to the server although nobody waits for them.
    """

    name: str
    next_call: str
    record_id: int = 0
    not_ours_at: int = 0
    mark: tuple[int, int] | None = None
    marked_at: int = 0
    call: Call | None = None
    given_up: tuple[Call, ...] = ()
    lease: Lease | None = None

    def rests_at(self, now: int) -> bool:
        """It has just heard how things are, or has the lock of the other."""
        if self.lease is None:
            return self.next_call == "read" and self.not_ours_at == now
        return self.lease.written_at == now or self.name == "b"


@dataclass(frozen=True)
class World:
    """The server's one record, as its id, its owner and when it was last written."""

    now: int
    record: tuple[int, str, int] | None
    ids: int
    contenders: tuple[Contender, ...]
    answer_is_lost: bool = False

    def holders(self) -> list[str]:
        return [c.name for c in self.contenders if c.lease and c.lease.is_known_held(self.now)]

    def steps(self) -> Iterator[World]:
        """All that can happen next, while the first one may think that it holds the lock."""
        if any(c.lease and c.lease.is_lost for c in self.contenders):
            return
        if self.now < LAST_MOMENT:
            yield replace(self, now=self.now + 1)
        for contender in self.contenders:
            call = contender.call
            if call is None and contender.rests_at(self.now):
                pass
            elif call is None:
                yield self._sent(contender)
            elif call.is_done:
                yield self._having(heard(replace(contender, call=None), call, self.now))
            else:
                after, done = self._done(contender.name, call)
                yield after._having(replace(contender, call=done))
            if call and call.kind != "read" and not self.answer_is_lost:
                yield replace(self._having(given_up(contender, call)), answer_is_lost=True)
            for late in contender.given_up:
                after, _ = self._done(contender.name, late)
                left = tuple(each for each in contender.given_up if each is not late)
                yield after._having(replace(contender, given_up=left))

    def _having(self, contender: Contender) -> World:
        others = (contender if c.name == contender.name else c for c in self.contenders)
        return replace(self, contenders=tuple(others))

    def _sent(self, contender: Contender) -> World:
        call = Call(contender.next_call, self.now, contender.record_id)
        return self._having(replace(contender, call=call))

    def _done(self, name: str, call: Call) -> tuple[World, Call]:
        """What the server does, at once and alone: the name is unique, ids never come back."""
        record, ids = self.record, self.ids
        answer: object = None
        if call.kind == "create" and record is None:
            ids += 1
            record, answer = (ids, name, self.now), ids
        elif call.kind == "read" and record:
            answer = (record[0], record[1], record[2])
        elif call.kind == "renew" and record and record[0] == call.record_id:
            record, answer = (record[0], record[1], self.now), True
        elif call.kind == "delete" and record and record[0] == call.record_id:
            record = None
        done = replace(call, is_done=True, answer=answer)
        return replace(self, record=record, ids=ids), done


def given_up(contender: Contender, call: Call) -> Contender:
    """The answer does not come; the call is sent again, as Prefect's client does."""
    late = () if call.is_done else (call,)
    return replace(
        contender,
        call=None,
        given_up=(*contender.given_up, *late),
    )


def heard(contender: Contender, call: Call, now: int) -> Contender:
    """What a contender makes of an answer."""
    answer = call.answer
    if call.kind == "create" and isinstance(answer, int):
        return holding(contender, answer, call.sent_at)
    if call.kind == "create":
        return replace(contender, next_call="read")
    if call.kind == "renew":
        assert contender.lease
        renewed = contender.lease.renewed(call.sent_at, now) if answer else contender.lease.lost()
        return replace(contender, lease=renewed)
    if isinstance(answer, tuple):
        record_id, owner, written_at = answer
        if owner == contender.name:
            return holding(contender, record_id, contender.not_ours_at)
        mark = (record_id, written_at)
        if mark != contender.mark:
            contender = replace(contender, mark=mark, marked_at=now)
        if has_run_out(call.sent_at - contender.marked_at, LEASE):
            return replace(contender, next_call="delete", record_id=record_id)
        return replace(contender, not_ours_at=call.sent_at)
    return replace(contender, next_call="create")


def holding(contender: Contender, record_id: int, written_at: int) -> Contender:
    lease = Lease.taken(LEASE, written_at)
    return replace(contender, next_call="renew", record_id=record_id, lease=lease)


@pytest.mark.exhaustive
def test_no_order_of_calls_gives_two_holders() -> None:
    """One holds the lock and renews it, as late as it may be; the other takes it when it can."""
    holder = holding(Contender("a", ""), 1, 0)
    start = World(0, (1, "a", 0), 1, (holder, Contender("b", "create")))
    seen, to_do, ever = {start}, [start], set()
    while to_do:
        for after in to_do.pop().steps():
            holders = after.holders()
            if len(holders) == 2:
                pytest.fail(f"both hold the lock: {after}")
            ever.update(holders)
            if after not in seen:
                seen.add(after)
                to_do.append(after)
    assert ever == {"a", "b"}, "each holds it in some order"


def test_whoever_hangs_under_a_lock_loses_it() -> None:
    """Work ends long before renewals do, so that a call that was begun in time is made alone."""
    lease = Lease.taken(
        30, 0, works_for_seconds=WORKS_FOR_SECONDS, kept_for_seconds=KEPT_FOR_SECONDS
    )
    for now in range(10, 1000, 10):
        if lease.is_to_be_renewed(now):
            lease = lease.renewed(now, now)
        assert lease.is_known_held(now) == (now <= WORKS_FOR_SECONDS)
    assert lease.written_at == KEPT_FOR_SECONDS


@pytest.mark.parametrize(("answered_at", "is_held"), [(39.9, True), (40.1, False)])
def test_an_answer_later_than_a_lease_after_the_last_write_is_not_believed(
    answered_at: float, is_held: bool
) -> None:
    """However late it was sent: somebody may have seen the record run out before."""
    renewed = Lease.taken(30, 0).renewed(10, 11).renewed(answered_at - 0.1, answered_at)
    assert renewed.is_known_held(answered_at) == is_held
