"""What is requested of the order of a job's connections, for one run. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from flinkglue.glue.models import Job
from flinkglue.glue.placement.demand import EXTRA_NODES, Demand, demand_of, usual_extra_nodes
from flinkglue.glue.placement.shortage import ShortagePolicy
from flinkglue.glue.placement.strategies import STRATEGIES, Strategy
from flinkglue.glue.run_request import RunRequest


@dataclass(frozen=True)
class PlacementRequest:
    """What a person requests of the order.

    Args:
        run: What is to be run; the addresses are reserved for its key.
        connection_names: The candidates, in the person's order; None: those that the job has.
        extra_nodes: Nodes in addition to the workers; None counts what the strategy usually does,
            and reserves as many as Glue may add.
        allow_several_vpcs: Whether the candidates may lie in more than one VPC.
        check_security_groups: Read the connections' security groups as well, with a call more.
    """

    run: RunRequest
    connection_names: Sequence[str] | None
    strategy_name: str
    strategy: Strategy
    seed: int
    extra_nodes: int | None = None
    needed_addresses: int | None = None
    allow_several_vpcs: bool = False
    list_all: bool = False
    check_security_groups: bool = False
    shortage: ShortagePolicy = field(default_factory=ShortagePolicy)

    @property
    def job_name(self) -> str:
        return self.run.job_name

    @property
    def has_own_strategy(self) -> bool:
        """Whether the strategy is a person's own."""
        return self.strategy_name not in STRATEGIES

    def demand(self, job: Job) -> Demand:
        """What the run takes."""
        usual, given = usual_extra_nodes(self.strategy_name), self.extra_nodes
        return demand_of(
            self.run.options.over(job),
            extra_nodes=usual if given is None else given,
            reserved_extra_nodes=EXTRA_NODES if given is None else given,
            arguments=self.run.arguments,
            needed_addresses=self.needed_addresses,
        )
