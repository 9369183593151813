"""Questions that a flow run asks a person on its page, where only a person can decide.

An answer counts for the very question, until the attempt that put it has ended. A flow run whose
process died meanwhile, before the answer or after it, resumes with it and does not ask the same
again. After an attempt that failed or was cancelled, the next one asks again: the answer may not
hold any more.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TypeVar

from prefect import pause_flow_run
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import FlowPauseTimeout
from prefect.input import RunInput

from flinkglue.clock.interruption import waiting
from flinkglue.prefect.retries import had_a_process
from flinkglue.prefect.run_log import run_log, this_flow_run

Answer = TypeVar("Answer", bound=RunInput)

_POLL_SECONDS = 2
_ENDED = (StateType.COMPLETED, StateType.FAILED, StateType.CANCELLED)
_MOST_INPUTS = 200  # of one question: each attempt has three


def ask(answer: type[Answer], question: str, name: str, within_minutes: float) -> Answer | None:
    """Pause this flow run until somebody answers on its page.

    Args:
        question: What is asked, as Markdown; it stands above the fields.
        name: Which question of the flow this is, in letters, digits and dashes.

    Returns:
        The answer; None when nobody gave one in time.
    """
    log, flow_run = run_log(), this_flow_run()
    key = f"{name}-{_ended_attempts(flow_run)}-{sha256(question.encode()).hexdigest()[:12]}"
    if earlier := _answer_before_a_crash(answer, key, flow_run):
        log.info("Continuing with the answer that was given before this attempt: %s", name)
        return earlier
    how = f"Resume on this flow run's page, within {within_minutes:g} minutes"
    log.info("%s To answer: %s", question, how)
    seconds = max(1, round(within_minutes * 60))
    try:
        with waiting(seconds):
            return pause_flow_run(
                wait_for_input=answer.with_initial_data(description=question),
                timeout=seconds,
                poll_interval=_POLL_SECONDS,
                key=f"{key}-{flow_run.run_count}",
            )
    except FlowPauseTimeout:
        log.warning("Nobody answered in time: %s", name)
        return None


def _ended_attempts(flow_run: FlowRun) -> int:
    """How many attempts of this flow run have ended; a crash ends none."""
    if flow_run.run_count <= 1:
        return 0
    if flow_run.empirical_policy.retries:
        return flow_run.run_count - 1  # Prefect keeps no Failed state of those that it retries
    with get_client(sync_client=True) as client:
        states = client.read_flow_run_states(flow_run.id)
    return sum(state.type in _ENDED for state in states)


def _answer_before_a_crash(answer: type[Answer], key: str, flow_run: FlowRun) -> Answer | None:
    """What was answered in an earlier attempt; None: nothing was."""
    if not had_a_process(flow_run):
        return None
    with get_client(sync_client=True) as client:
        found = client.filter_flow_run_input(flow_run.id, f"paused-{key}-", _MOST_INPUTS, set())
    given = [each for each in found if each.key.endswith("-response")]
    return answer(**given[-1].decoded_value) if given else None
