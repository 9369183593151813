"""Who gives no sign of life: only observation counts, and only while the server answers."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flinkglue.clock import Pace
from flinkglue.errors import ServiceUnavailable
from flinkglue.silence import Signs, Silence, silent_among
from tests.unit.lifecycle.fake_flink_jobs import Clock

SECONDS = 600.0
DOWN = ServiceUnavailable("Prefect", "POST /events/filter", "events", "no answer")


class Server:
    """What it shows of processes, each of which beats every so many seconds until it dies."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.began_at = clock.monotonic()
        self.beats: dict[str, tuple[float, float]] = {}
        self.ends: dict[str, float] = {}
        self.down: list[tuple[float, float]] = []
        self.looks = 0
        self.earlier = 1
        """How many beats of each came before the observation."""

    @property
    def passed(self) -> float:
        return self.clock.monotonic() - self.began_at

    def observe(self, ids: Collection[str]) -> Mapping[str, Signs]:
        self.looks += 1
        if any(since <= self.passed < until for since, until in self.down):
            raise DOWN
        return {one: self._signs(one) for one in ids if self.passed < self.ends.get(one, 1e9)}

    def _signs(self, one: str) -> Signs:
        """What was sent while the server was away arrives afterwards: Prefect's client sends on."""
        every, dies_at = self.beats.get(one, (0.0, 0.0))
        count = int(min(self.passed, dies_at) // every) + 1 + self.earlier if every else 0
        return Signs(count, count > 1, pause_seconds=every)


@pytest.fixture
def server() -> Server:
    return Server(Clock())


def observed(server: Server, *ids: str, seconds: float = SECONDS) -> Silence:
    return silent_among(ids, server.observe, seconds, clock=server.clock)


def test_one_that_is_dead_is_found_and_one_that_lives_is_not(server: Server) -> None:
    server.beats = {"dead": (180, 0), "lives": (180, 1e9)}
    assert observed(server, "dead", "lives") == Silence(("dead",))
    assert server.passed == pytest.approx(SECONDS, abs=1)


def test_nobody_is_waited_for_when_all_live(server: Server) -> None:
    server.beats = {"a": (30, 1e9), "b": (180, 1e9)}
    assert observed(server, "a", "b") == Silence()
    assert server.passed <= 200


def test_one_that_never_gave_a_sign_cannot_be_judged(server: Server) -> None:
    assert observed(server, "mute") == Silence((), ("mute",))
    assert server.passed == 0


def test_one_with_a_single_sign_cannot_be_judged(server: Server) -> None:
    """Nobody knows when the next one is due."""
    server.beats, server.earlier = {"once": (3600, 0)}, 0
    assert observed(server, "once") == Silence((), ("once",))


def test_one_whose_signs_are_too_far_apart_cannot_be_judged(server: Server) -> None:
    server.beats = {"slow": (SECONDS / 3, 1e9), "slower": (2 * SECONDS, 1e9)}
    assert observed(server, "slow", "slower") == Silence((), ("slow", "slower"))


def test_one_that_moved_on_is_not_looked_at_any_more(server: Server) -> None:
    server.beats, server.ends = {"ended": (180, 0)}, {"ended": 300}
    assert observed(server, "ended") == Silence()
    assert server.passed < 330


def test_time_in_which_nobody_answers_does_not_count(server: Server) -> None:
    """A live process could give no sign in it either."""
    server.beats = {"lives": (150, 1e9), "dead": (150, 0)}
    server.down = [(400, 700)]
    assert observed(server, "lives", "dead") == Silence(("dead",))
    assert server.passed >= 700 + SECONDS


def test_a_server_that_stays_away_ends_the_observation(server: Server) -> None:
    server.down = [(0, 1e9)]
    with pytest.raises(ServiceUnavailable):
        observed(server, "any")


@given(
    every=st.floats(1, 5 * SECONDS),
    dies_at=st.floats(0, 3000) | st.just(1e9),
    offset=st.floats(0, 1000),
    down_at=st.floats(0, 2000),
    down_for=st.floats(0, 500),
)
def test_one_that_lives_is_never_called_silent(
    every: float, dies_at: float, offset: float, down_at: float, down_for: float
) -> None:
    """Whenever the observation begins, however the process beats, whenever the server is away."""
    server = Server(Clock())
    server.clock.sleep(offset)
    server.beats = {"one": (every, dies_at)}
    server.down = [(down_at, down_at + down_for)]
    pace = Pace(first_seconds=5, most_seconds=20, jitter=0)
    found = silent_among(["one"], server.observe, SECONDS, clock=server.clock, pace=pace)
    if found.silent:
        assert dies_at < server.passed
