"""State that a person agrees to drop: they are asked before the launch, and not again after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from flinkglue.lifecycle.models import Action, Outcome
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.transaction import WouldDropState

DROPS_STATE = (Action.NEW, Action.STATELESS_UPDATE)
"""The actions that start a job without its state."""
_CONTINUES_WITHOUT = "The job continues without its state."


def perform_when_agreed(
    request: ActionRequest,
    *,
    to_resume: Callable[[], ActionRequest | None],
    agree: Callable[[str], None],
    perform: Callable[[ActionRequest], Outcome],
) -> Outcome:
    """Perform an action; ask before it drops state, unless an earlier attempt has decided already.

    What was agreed to is part of the request that the journal keeps, and stands there before the
    launch is planned.

    Args:
        to_resume: The request that an interrupted attempt goes on with; see
            ``execute.request_to_resume``.
        agree: Returns when somebody agrees to drop state, for the reason given; raises if nobody
            does.
        perform: Performs what is requested.
    """
    if request.action in DROPS_STATE and (resumed := to_resume()):
        return perform(resumed)
    if request.action is Action.STATELESS_UPDATE:
        agree(_CONTINUES_WITHOUT)
    try:
        return perform(request)
    except WouldDropState as refused:
        agree(str(refused))
        return perform(replace(request, without_state=True))
