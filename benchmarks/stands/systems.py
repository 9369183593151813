"""What starts Glue jobs, as a benchmark drives it: Prefect with a worker, or another system."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import Any, Protocol
from uuid import uuid4

import httpx

from benchmarks.stands.run_stand import Stand, Worker
from scripts.prefect_stack import FINAL_STATES

TRIGGER_AGAIN_SECONDS = 0.5
ANSWERS_WITHIN_SECONDS = 120.0
LAST_TRIES, LAST_TRY_SECONDS = 3, 10.0
"""To read what became of flow runs when they are over, or their time is."""


@dataclass(frozen=True)
class Triggered:
    """A run, when it was first requested, and its order; no id: it was refused to the end."""

    run_id: str
    at: float
    order: tuple[str, ...]
    refused: int


@dataclass(frozen=True)
class Ended:
    """How a run is at the end: whether it succeeded, and when it ended."""

    succeeded: bool
    at: float | None
    state: str = ""


class System(Protocol):
    """What is measured. The run key of each Glue run begins with the id of its run."""

    @property
    def name(self) -> str:
        """As the table shows it."""

    @property
    def worker_pid(self) -> int:
        """The process that runs what is triggered, with all that it starts."""

    @property
    def server_pid(self) -> int:
        """The process that is triggered."""

    def trigger(self, job: str, order: tuple[str, ...], give_up_at: float = inf) -> Triggered:
        """Have the job run with this order, trying again until the time is over."""

    def ended(self, run_ids: list[str], give_up_at: float) -> dict[str, Ended]:
        """How the runs are, when all have ended or the time is over."""


class PrefectRuns:
    """The deployment `glue-job`, with a worker that takes its flow runs."""

    def __init__(self, stand: Stand, worker: Worker) -> None:
        self.name = worker.type
        self.worker_pid = worker.pid
        self._stand = stand

    @property
    def server_pid(self) -> int:
        return self._stand.prefect.server_pid

    def trigger(
        self, job: str, order: tuple[str, ...], give_up_at: float = inf, **more: Any
    ) -> Triggered:
        """The time counts from the first try.

        Args:
            more: Further parameters of the flow run.
        """
        parameters = {
            "job_name": job,
            "connection_names": ",".join(order),
            "strategy": "preferred",
            "retry_delay_seconds": 1,
            **more,
        }
        body = {
            "parameters": parameters,
            "state": {"type": "SCHEDULED"},
            "idempotency_key": str(uuid4()),  # a trigger whose answer was lost is not made twice
        }
        at = time.time()
        for refused in itertools.count():
            try:
                answer = self._stand.prefect.api.post(
                    f"/deployments/{self._stand.deployment_id}/create_flow_run",
                    json=body,
                    timeout=_until(give_up_at),
                )
            except httpx.TransportError:  # no answer in time, or the connection was dropped
                answer = None
            if answer is not None and not answer.is_server_error:
                return Triggered(answer.raise_for_status().json()["id"], at, order, refused)
            if time.time() > give_up_at:
                return Triggered("", at, order, refused + 1)
            time.sleep(TRIGGER_AGAIN_SECONDS)
        raise AssertionError("tries never end by themselves")

    def ended(self, run_ids: list[str], give_up_at: float) -> dict[str, Ended]:
        """Counts until all have ended: to read a hundred flow runs each second is a load, too."""
        if not run_ids:
            return {}
        query: dict[str, Any] = {"flow_runs": {"id": {"any_": run_ids}}}
        final = {"state": {"type": {"any_": sorted(FINAL_STATES)}}}
        over = {"flow_runs": {**query["flow_runs"], **final}}
        while self._answer("count", over, give_up_at) != len(run_ids) and time.time() < give_up_at:
            time.sleep(1)
        for _ in range(LAST_TRIES):
            found = self._answer("filter", query, time.time() + LAST_TRY_SECONDS)
            if found:
                return {run["id"]: _ended(run) for run in found}
            time.sleep(0.5)
        return {}

    def cancel(self, run_id: str) -> httpx.Response:
        """What the button of a flow run's page does: the server's answer."""
        body = {"state": {"type": "CANCELLING", "name": "Cancelling"}}
        return self._stand.prefect.post(f"/flow_runs/{run_id}/set_state", body)

    def _answer(self, what: str, query: dict[str, Any], give_up_at: float) -> Any:
        """None: there is no answer now."""
        url = f"/flow_runs/{what}"
        try:
            answer = self._stand.prefect.api.post(url, json=query, timeout=_until(give_up_at))
        except httpx.TransportError:
            return None
        return answer.json() if answer.is_success else None


def _until(give_up_at: float) -> float:
    """How long to wait for an answer."""
    return min(ANSWERS_WITHIN_SECONDS, max(1.0, give_up_at - time.time()))


def _ended(run: dict[str, Any]) -> Ended:
    at = run["end_time"]
    ended_at = datetime.fromisoformat(at).timestamp() if at else None
    return Ended(run["state_type"] == "COMPLETED", ended_at, run["state_name"])
