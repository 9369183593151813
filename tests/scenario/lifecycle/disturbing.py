"""Actions on a real job behind a gateway that answers for Flink, or done by two processes at once.

FLINK_GATEWAY_TURNS and FLINK_TWIN_TURNS say how many actions are disturbed (by default half a round
of each), FLINK_ARM_GATEWAY_TURNS how many over ARM, and FLINK_SEED repeats them. Clocks are wrong
by an hour now and then.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from flinkglue.errors import FlinkGlueError
from tests.scenario.lifecycle.killing import Turn
from tests.scenario.lifecycle.real_lifecycle import RealJob

GATEWAY_TURNS = int(os.environ.get("FLINK_GATEWAY_TURNS", "3"))
ARM_GATEWAY_TURNS = int(os.environ.get("FLINK_ARM_GATEWAY_TURNS", "0"))
TWIN_TURNS = int(os.environ.get("FLINK_TWIN_TURNS", "3"))
CLOCKS_AHEAD_SECONDS = (-3600.0, 0.0, 3600.0)
_TWINS_END_WITHIN_SECONDS = 480


def _html(status: int, title: str, server: str) -> httpx.Response:
    page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return httpx.Response(status, html=page, headers={"server": server})


FOREIGN_ANSWERS: dict[str, Callable[[], httpx.Response]] = {
    "nginx 404": lambda: _html(404, "404 Not Found", "nginx"),
    "nginx 502": lambda: _html(502, "502 Bad Gateway", "nginx"),
    "nginx 405": lambda: _html(405, "405 Not Allowed", "nginx"),
    "Traefik 404": lambda: httpx.Response(404, text="404 page not found\n"),
    "Envoy 503": lambda: httpx.Response(
        503, text="no healthy upstream", headers={"server": "envoy"}
    ),
    "Kong 404": lambda: httpx.Response(
        404, json={"message": "no Route matched with those values"}, headers={"server": "kong"}
    ),
    "sign-in redirect": lambda: httpx.Response(
        302, headers={"location": "https://login.example.com/authorize?client_id=flink"}
    ),
    "sign-in page": lambda: _html(200, "Sign in", "oauth2-proxy"),
    "empty 200": lambda: httpx.Response(200),
    "gateway time-out": lambda: _html(504, "504 Gateway Time-out", "awselb/2.0"),
}
"""What stands between people and their JobManagers says such things, by who says them."""


class Gateway(httpx.BaseTransport):
    """The way to a service, on which some calls are answered by somebody else.

    Args:
        network: The way behind it.
        rng: Chooses what is answered, and whether the service gets the call all the same.
        first: The number of the first call that is answered so, from 0.
        calls: How many are.
    """

    def __init__(
        self, network: httpx.BaseTransport, rng: random.Random, first: int, calls: int
    ) -> None:
        self._network = network
        self._rng = rng
        self._answered = range(first, first + calls)
        self._number = 0
        self.said: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        number, self._number = self._number, self._number + 1
        if number not in self._answered:
            return self._network.handle_request(request)
        name = self._rng.choice(sorted(FOREIGN_ANSWERS))
        passes = self._rng.random() < 0.5
        if passes:
            answer = self._network.handle_request(request)
            answer.read()
            answer.close()
        to = "after" if passes else "instead of"
        self.said.append(f"{name} {to} {request.method} {request.url.path}")
        return FOREIGN_ANSWERS[name]()

    def close(self) -> None:
        self._network.close()


@dataclass
class BehindGateway:
    """Performs each action behind a gateway that answers some of its calls, by a wrong clock."""

    job: RealJob
    rng: random.Random

    def __call__(self, turn: Turn, intent: str, label: str) -> str:
        first, calls = self.rng.randrange(40), self.rng.choice((1, 2, 3, 5, 40))
        gateway = Gateway(self.job.network(), self.rng, first, calls)
        job = self.job.through(gateway)
        job.clock_ahead_seconds = self.rng.choice(CLOCKS_AHEAD_SECONDS)
        said = ""
        try:
            job.act(turn.action, intent, **job.asked_for(turn.action, label))
        except FlinkGlueError as error:
            said = f"; raised {error}"
        finally:
            job.close()
        return f"clock {job.clock_ahead_seconds:+g} s; {', '.join(gateway.said)}{said}"


@dataclass
class Twins:
    """Performs each action in two processes at once, one of which is stopped for a while."""

    job: RealJob
    rng: random.Random
    pause_seconds: float

    def __call__(self, turn: Turn, intent: str, label: str) -> str:
        clocks = [self.rng.choice(CLOCKS_AHEAD_SECONDS) for _ in range(2)]
        later, until, paused = (self.rng.uniform(0, turn.most_seconds) for _ in range(3))
        stops = self.rng.random() < 0.5
        first = self._start(turn, intent, label, clocks[0])
        time.sleep(later)
        second = self._start(turn, intent, label, clocks[1])
        if stops:
            time.sleep(until)
            _pause(self.rng.choice((first, second)), self.pause_seconds + paused)
        for process in (first, second):
            process.wait(_TWINS_END_WITHIN_SECONDS)
            assert process.stdout
            process.stdout.close()
        stopped = f", one stopped {until:.3f} s after that" if stops else ""
        return f"the second process {later:.3f} s after the first{stopped}, clocks {clocks}"

    def _start(
        self, turn: Turn, intent: str, label: str, clock_ahead_seconds: float
    ) -> subprocess.Popen[str]:
        return self.job.start_to_act(
            turn.action, intent, label, clock_ahead_seconds=clock_ahead_seconds
        )


def _pause(process: subprocess.Popen[str], seconds: float) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        process.send_signal(signal.SIGCONT)
