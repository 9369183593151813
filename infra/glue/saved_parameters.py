"""What a command gives for a flow run, together with what its deployment has saved. Pure.

Prefect replaces a saved parameter as a whole, and a group of options is one parameter: without
this, one option on the command line would drop the deployment's others of its group.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flinkglue.blocks.forms.glue_job import MOVED, WaitOptions, with_strategy_function
from flinkglue.prefect.forms.moved import as_sent, in_their_places

_GROUPS = {place.partition(".")[0] for place in MOVED.values()}
_STRATEGY, _FUNCTION, _ADVANCED = "strategy", "strategy_function", "advanced_options"


def over_saved(given: Mapping[str, Any], saved: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of the flow run that Prefect puts over the deployment's.

    Args:
        given: What was given, which wins option by option.
        saved: The deployment's parameters; earlier versions had no groups.

    Raises:
        InvalidInput: The deployment has one parameter in two places, with two values.
    """
    placed = with_strategy_function(in_their_places(saved, MOVED))
    sent = {
        name: {**(placed.get(name) or {}), **value} if name in _GROUPS else value
        for name, value in given.items()
    }
    function = placed.get(_ADVANCED) or {}
    if _STRATEGY not in given and placed.get(_STRATEGY) != saved.get(_STRATEGY):
        sent[_STRATEGY] = placed[_STRATEGY]  # it was module:function, which is no choice any more
        sent.setdefault(_ADVANCED, function)
    elif _STRATEGY in given and _FUNCTION in function:
        kept = {_FUNCTION: ""} | dict(given.get(_ADVANCED) or {})
        sent[_ADVANCED] = {**function, **kept}
    return sent | as_sent(sent, saved, MOVED)


def deadline_seconds(parameters: Mapping[str, Any]) -> float:
    """How long a flow run with these parameters waits for one run."""
    options = in_their_places(parameters, MOVED).get("wait_options") or {}
    minutes = options.get("deadline_minutes")
    return 60.0 * (WaitOptions().deadline_minutes if minutes is None else minutes)
