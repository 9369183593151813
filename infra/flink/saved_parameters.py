"""What a command gives for a flow run of an action, with what its deployment has saved. Pure.

How an action goes about it is the deployment's, where no option says otherwise; what it acts on is
the command's alone. Prefect replaces a saved group of options as a whole: without this, a command
would drop what happens to the job on a cancellation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flinkglue.blocks.forms.flink_job import ACTION_MOVED, WaitOptions
from flinkglue.prefect.forms.moved import as_sent, in_their_places

LASTING: Mapping[str, tuple[str, ...]] = {
    "state_options": ("savepoint_format",),
    "wait_options": tuple(WaitOptions.model_fields),
    "advanced_options": ("roll_back", "check_slots", "ask_within_minutes"),
}
"""The fields of each group that say how, and not what."""


def over_saved(given: Mapping[str, Any], saved: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of the flow run that Prefect puts over the deployment's.

    Args:
        given: What was given, which wins field by field.
        saved: The deployment's parameters; earlier versions had no groups.

    Raises:
        InvalidInput: The deployment has one parameter in two places, with two values.
    """
    placed = in_their_places(saved, ACTION_MOVED)
    sent = dict(given)
    for group, fields in LASTING.items():
        kept = placed.get(group) or {}
        lasting = {name: kept[name] for name in fields if name in kept}
        sent[group] = {**lasting, **(given.get(group) or {})}
    return sent | as_sent(sent, saved, ACTION_MOVED)


def deadline_seconds(parameters: Mapping[str, Any]) -> float:
    """How long an action with these parameters may take."""
    options = in_their_places(parameters, ACTION_MOVED).get("wait_options") or {}
    minutes = options.get("deadline_minutes")
    return 60.0 * (WaitOptions().deadline_minutes if minutes is None else minutes)
