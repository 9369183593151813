"""The AWS clients of a process: made once for each block, and none waits for another's account."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import PrivateAttr

from flinkglue.blocks.aws_credentials import AwsCredentials
from flinkglue.clock.interruption import Interrupted, Interruption, interrupted_by
from flinkglue.glue.api.kept_clients import MOST, UNUSED_SECONDS, KeptClients
from flinkglue.tasks.glue import connect
from tests.unit.glue.glue_on_the_wire import Refused

WITHIN_SECONDS = 10.0


class SlowAccount(AwsCredentials):
    """Its STS does not answer before it is told to."""

    _block_type_slug = "slow-account"
    _is_called: threading.Event = PrivateAttr(default_factory=threading.Event)
    _answers: threading.Event = PrivateAttr(default_factory=threading.Event)

    def get_boto3_session(self) -> boto3.Session:
        self._is_called.set()
        self._answers.wait(WITHIN_SECONDS)
        return account("slow").get_boto3_session()


def account(name: str) -> AwsCredentials:
    keys: dict[str, Any] = {"aws_access_key_id": name, "aws_secret_access_key": "secret"}
    return AwsCredentials(region_name="eu-west-1", **keys)


@pytest.fixture
def slow() -> Iterator[SlowAccount]:
    block = SlowAccount(region_name="eu-west-1", aws_access_key_id="slow")
    first = threading.Thread(target=connect, args=(block,))
    first.start()
    assert block._is_called.wait(WITHIN_SECONDS)
    yield block
    block._answers.set()
    first.join(WITHIN_SECONDS)


def test_an_account_whose_sts_is_slow_holds_no_other_up(slow: SlowAccount) -> None:
    connected = threading.Event()

    def other() -> None:
        connect(account("other"))
        connected.set()

    threading.Thread(target=other, daemon=True).start()
    assert connected.wait(WITHIN_SECONDS / 2)


def test_a_cancel_is_heard_while_another_thread_connects(slow: SlowAccount) -> None:
    interruption, ended = Interruption(), threading.Event()

    def wait() -> None:
        with interrupted_by(interruption), pytest.raises(Interrupted):
            connect(slow)
        ended.set()

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    time.sleep(0.1)
    interruption.request(Interrupted("cancelled"))
    assert ended.wait(3)


def test_nine_accounts_keep_their_clients() -> None:
    """Those that wait for runs with one client share their polls."""
    blocks = [account(f"account-{number}") for number in range(9)]
    assert [connect(each) for each in blocks] == [connect(each) for each in blocks]


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> Any:
        raise AssertionError("the time of day may be set back")

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class Made:
    """A client that somebody may use."""

    def __init__(self, key: int) -> None:
        self.key, self.is_used = key, False


steps = st.lists(st.tuples(st.integers(0, 40), st.booleans(), st.sampled_from([1, 60, 700])))


@settings(deadline=None)
@given(steps)
def test_a_client_in_use_stays_and_no_more_are_kept_than_the_most(
    needed: list[tuple[int, bool, int]],
) -> None:
    clock, made = Clock(), list[Made]()

    def make(key: int) -> Made:
        made.append(Made(key))
        return made[-1]

    clients = KeptClients(make, lambda client: client.is_used, clock)
    used_at = dict[int, float]()
    for key, is_used, pause in needed:
        clock.sleep(pause)
        used = [each for each in made if each.is_used]
        client = clients.get(key)
        client.is_used = is_used
        assert client.key == key
        if is_used and len({each.key for each in used} | {key}) < MOST:
            assert clients.get(key) is client
        used_at[key] = clock.seconds
        assert len(clients._kept) <= MOST
        for other, kept in clients._kept.items():
            assert kept.client is not None
            is_recent = clock.seconds - used_at[other] <= UNUSED_SECONDS
            assert is_recent or kept.client.is_used


def test_a_client_that_could_not_be_made_is_made_when_it_is_needed_next() -> None:
    answers = iter([Refused(403, "AccessDenied"), None])

    def make(key: str) -> str:
        if (error := next(answers)) is not None:
            raise error
        return key

    clients = KeptClients(make, lambda client: False, Clock())
    with pytest.raises(Refused):
        clients.get("role")
    assert clients.get("role") == "role"


def test_a_client_that_could_not_be_made_takes_no_place() -> None:
    """With credentials that have expired, each try has new ones."""
    made: list[str] = []

    def make(key: str) -> str:
        if key.startswith("expired"):
            raise Refused(403, "ExpiredToken")
        made.append(key)
        return key

    clock = Clock()
    clients = KeptClients[str, str](make, lambda _: False, clock, most=2)
    for number in range(5):
        with pytest.raises(Refused):
            clients.get(f"expired {number}")
    for key in ("one", "two", "one", "two"):
        clock.sleep(1)
        assert clients.get(key) == key
    assert made == ["one", "two"]
