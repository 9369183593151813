"""Questions that a flow run asks a person on its page, where only a person can decide."""

from __future__ import annotations

from typing import TypeVar

from prefect import pause_flow_run, runtime
from prefect.exceptions import FlowPauseTimeout
from prefect.input import RunInput

from flinkglue.prefect.run_log import run_log

Answer = TypeVar("Answer", bound=RunInput)

_POLL_SECONDS = 2


def ask(answer: type[Answer], question: str, name: str, within_minutes: float) -> Answer | None:
    """Pause this flow run until somebody answers on its page.

    Each attempt of the flow run asks for itself: what was answered before may not hold any more.

    Args:
        question: What is asked, as Markdown; it stands above the fields.
        name: Which question of the flow this is, in letters, digits and dashes.

    Returns:
        The answer; None when nobody gave one in time.
    """
    asked = answer.with_initial_data(description=question)
    log = run_log()
    log.info("Waiting %g minutes for an answer on this flow run's page: %s", within_minutes, name)
    try:
        return pause_flow_run(
            wait_for_input=asked,
            timeout=max(1, round(within_minutes * 60)),
            poll_interval=_POLL_SECONDS,
            key=f"{name}-{runtime.flow_run.run_count}",
        )
    except FlowPauseTimeout:
        log.warning("Nobody answered in time: %s", name)
        return None
