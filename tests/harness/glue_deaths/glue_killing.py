"""Executes flow runs in processes of which some are killed, while the Prefect server fails."""

from __future__ import annotations

import random
import signal
from collections import Counter
from pathlib import Path
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.states import Crashed, Scheduled

from tests.harness.glue_deaths import glue_flow_process
from tests.harness.glue_deaths.glue_disturbances import (
    MOST_SERVER_CALLS,
    SERVER_FAULTS,
    Disturbances,
    ServerFault,
)

KILLED_SHARE = 0.75
MOST_AWS_CALLS, MOST_SECONDS = 16, 5.0
PATIENCE_SECONDS = 600.0


class Killer:
    """Executes flow runs in processes, kills some of them, and has the Prefect server fail.

    Args:
        most_kills: How many are killed.
        aws: The calls to AWS.
        server: Those to the Prefect server.
        api_url: Where the server fails.
        rng: Draws who is killed when.
        log: Where the processes write.
    """

    def __init__(
        self,
        most_kills: int,
        aws: Disturbances,
        server: Disturbances,
        api_url: str,
        rng: random.Random,
        log: Path,
    ) -> None:
        self._most_kills = most_kills
        self._aws = aws
        self._server = server
        self._api_url = api_url
        self._rng = rng
        self._log = log
        self._turn = rng.randrange(MOST_SERVER_CALLS * len(SERVER_FAULTS))
        self.kills: Counter[str] = Counter()
        self.hits: Counter[str] = Counter()

    def execute(self, flow_run_id: UUID) -> FlowRun:
        """Start processes until one ends by itself; the flow run as that one left it."""
        while True:
            may_be_killed = self.kills.total() < self._most_kills
            if not self._killed(flow_run_id, may_be_killed=may_be_killed):
                with get_client(sync_client=True) as client:
                    return client.read_flow_run(flow_run_id)
            with get_client(sync_client=True) as client:  # as a worker and then a person does it
                client.set_flow_run_state(flow_run_id, Crashed(), force=True)
                client.set_flow_run_state(flow_run_id, Scheduled(), force=True)

    def _killed(self, flow_run_id: UUID, *, may_be_killed: bool) -> bool:
        doomed = self._rng.random() < KILLED_SHARE and may_be_killed
        how = self._rng.choice(("at a call to AWS", "at a call to Prefect", "at a moment"))
        aws_call = self._rng.randrange(MOST_AWS_CALLS)
        server_call = self._rng.randrange(MOST_SERVER_CALLS)
        after_seconds, processed = self._rng.uniform(0, MOST_SECONDS), self._rng.random() < 0.5
        failing = ServerFault.in_turn(self._turn, calls=self._rng.randint(1, 3))
        self._aws.begin_anew()
        self._server.begin_anew(failing)
        process = glue_flow_process.started(flow_run_id, self._log, self._api_url)
        assert process.pid
        if doomed and how == "at a call to AWS":
            self._aws.kill(process.pid, aws_call, processed=processed)
        elif doomed and how == "at a call to Prefect":
            self._server.kill(process.pid, server_call, processed=processed)
        elif doomed:
            process.join(after_seconds)
            process.kill()
        process.join(PATIENCE_SECONDS)
        assert process.exitcode is not None, f"flow run {flow_run_id} does not end"
        killed = process.exitcode == -signal.SIGKILL
        ended = f"killed {how}" if killed else f"exit code {process.exitcode}"
        print(
            f"{flow_run_id}: {ended} after "
            f"{self._aws.calls} and {self._server.calls} calls; {failing}{self._server.hit}",
            flush=True,
        )
        self._turn += not killed or bool(self._server.hit)
        self.kills[how] += killed
        self.hits[failing.kind] += bool(self._server.hit)
        process.close()
        return killed
