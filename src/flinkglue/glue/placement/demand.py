"""How many addresses one run of a job takes from its subnet. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from flinkglue.errors import InvalidInput
from flinkglue.glue.models import Job

PUBLISHED_STRATEGIES = ("random", "capacity")

EXTRA_NODES = 2
"""Nodes that Glue adds to the workers of a Spark or Ray job: one or two, so two are planned for.

One too many leaves one address unused; one too few starves a run.
"""


def usual_extra_nodes(strategy_name: str) -> int:
    """None for the published strategies, whose groups count workers alone.

    A run takes addresses for its extra nodes all the same, and so they are reserved for it.
    """
    return 0 if strategy_name in PUBLISHED_STRATEGIES else EXTRA_NODES


@dataclass(frozen=True)
class Demand:
    """What one run takes.

    Args:
        addresses: What a subnet must have free to be good: one per node.
        addresses_to_reserve: What others must not count on, as the run may take it.
        because: How the numbers came about, in words.
    """

    addresses: int
    addresses_to_reserve: int
    because: str = field(default="", compare=False)


def demand_of(
    job: Job,
    *,
    extra_nodes: int = EXTRA_NODES,
    reserved_extra_nodes: int = 0,
    arguments: Mapping[str, str] | None = None,
    needed_addresses: int | None = None,
) -> Demand:
    """What one run of the job takes.

    Args:
        extra_nodes: Nodes beside the workers; a Python shell job has none.
        reserved_extra_nodes: Nodes that the run may take beside them, where that is more.
        arguments: The run's own arguments, which win over the job's default ones.
        needed_addresses: What the person knows better; nothing else counts then.

    Raises:
        InvalidInput: A number is not one that a run can have.
    """
    if needed_addresses is not None:
        if needed_addresses < 1:
            raise InvalidInput("needed_addresses", needed_addresses, "1 or more")
        return Demand(needed_addresses, needed_addresses, "given as needed_addresses")
    if extra_nodes < 0:
        raise InvalidInput("extra_nodes", extra_nodes, "0 or more")
    if (job.get("Command") or {}).get("Name") == "pythonshell":
        return Demand(1, 1, "a Python shell run has one node")
    given = {**(job.get("DefaultArguments") or {}), **(arguments or {})}
    auto_scaling = str(given.get("--enable-auto-scaling", "")).lower() == "true"
    # With auto scaling, NumberOfWorkers and MaxCapacity are the most that a run may have.
    if count := job.get("NumberOfWorkers"):
        workers, unit = int(count), "workers"
    else:
        workers, unit = max(1, math.ceil(job.get("MaxCapacity") or 0)), "units of capacity"
    most = ", the maximum of auto scaling," if auto_scaling else ""
    because = f"{workers} {unit}{most} + {extra_nodes} for extra nodes"
    to_reserve = workers + max(extra_nodes, reserved_extra_nodes)
    if reserved_extra_nodes > extra_nodes:
        because += f"; {to_reserve} are reserved for it, as Glue adds one or two nodes"
    return Demand(workers + extra_nodes, to_reserve, because)
