"""For how long an answer counts: until the attempt that asked has ended, and for that question."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.flow_engine import run_flow
from prefect.input import RunInput

from flinkglue.errors import JobFailed
from flinkglue.prefect.questions import ask
from tests.harness.execution import read, resume, retry
from tests.harness.worker.thread_worker import state_name
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("prefect_files")
SHORT = 0.02
"""Minutes that nobody answers in."""
CRASH = SystemExit
"""What Prefect calls one: the process ends before the flow does."""


class Agreement(RunInput):
    """The answer."""

    agreed: bool = False


class Asking:
    """One flow run, whose attempts run in this process."""

    def __init__(self) -> None:
        answers = self.answers = list[bool | None]()

        @flow(validate_parameters=False)
        def asks(question: str, within_minutes: float, end: type[BaseException]) -> None:
            answer = ask(Agreement, question, "drop-state", within_minutes)
            answers.append(answer.agreed if answer else None)
            raise end

        self._flow = asks
        with get_client(sync_client=True) as client:
            self.id: UUID = client.create_flow_run(asks, parameters={}).id

    def attempt(
        self, question: str, within_minutes: float = SHORT, end: type[BaseException] = CRASH
    ) -> None:
        """Run it until it ends in this way."""
        parameters: dict[str, Any] = {
            "question": question,
            "within_minutes": within_minutes,
            "end": end,
        }
        with get_client(sync_client=True) as client:
            flow_run = client.read_flow_run(self.id)
        with suppress(CRASH):
            run_flow(self._flow, flow_run=flow_run, parameters=parameters, return_type="state")


def test_an_answer_counts_for_its_question_until_the_attempt_that_asked_has_ended() -> None:
    asking = Asking()
    with ThreadPoolExecutor(1) as pool:
        attempt = pool.submit(asking.attempt, "Drop savepoint 1?", 10)
        eventually(lambda: state_name(asking.id) == "Paused")
        resume(asking.id, agreed=True)
        attempt.result()
    assert state_name(asking.id) == "Crashed"
    retry(asking.id)
    asking.attempt("Drop savepoint 1?")
    assert asking.answers == [True, True]

    retry(asking.id)
    asking.attempt("Drop savepoint 2?", end=JobFailed)
    assert asking.answers[2:] == [None], "there is newer state than that which was agreed to"
    assert state_name(asking.id) == "Failed"

    retry(asking.id)
    asking.attempt("Drop savepoint 1?")
    assert asking.answers[3:] == [None]
    assert read(asking.id).run_count == 4
