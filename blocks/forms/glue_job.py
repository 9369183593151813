"""What a person fills in about a run of a Glue job, in groups."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from flinkglue.errors import InvalidInput
from flinkglue.form_schema import FormGroup
from flinkglue.glue.attempts import RetryPolicy
from flinkglue.glue.failures.own_rules import FailureRules
from flinkglue.glue.inputs import StrategyFunction
from flinkglue.glue.placement.shortage import ShortagePolicy, WhenNothingFits, usual_choice
from flinkglue.prefect.forms.moved import in_their_places
from flinkglue.quantities import Count, Minutes, MinutesOrNone

StrategyChoice = Literal[
    "random", "capacity", "weighted", "best_fit", "preferred", "spread", "custom"
]
"""The strategies that are built in, and a person's own."""

CUSTOM = "custom"


class ShortageOptions(FormGroup):
    """What a run needs of a subnet, and what to do when no subnet has it."""

    when_nothing_fits: Literal["by_strategy", "wait", "use_best", "fail"] = Field(
        default="by_strategy",
        description="What to do when no subnet has all the addresses. wait: poll for some minutes, "
        "then run with fewer nodes where most are free. use_best: do that now. fail: do not run. "
        "by_strategy: use_best for random and capacity, as in the AWS blog post, else wait. "
        "While not even two addresses are free in any subnet, use_best waits as well; after the "
        "wait the flow run fails.",
    )
    wait_for_addresses_minutes: Annotated[float, Field(ge=0, le=2880, allow_inf_nan=False)] = Field(
        default=10,
        description="How long to wait for addresses, within deadline_minutes. Addresses of runs "
        "that ended come back after one or two minutes, so it starts again after a wait for a free "
        "run slot of the job.",
    )
    extra_nodes: Annotated[int, Field(ge=0, le=10)] | None = Field(
        default=None,
        description="Nodes that Glue adds to the job's workers, each with an address of its own. "
        "Empty: 2, which are reserved for the run; random and capacity, as in the AWS blog post, "
        "do not check that a subnet has room for them.",
    )
    needed_addresses: Count | None = Field(
        default=None,
        description="Addresses that a run takes, instead of workers plus extra nodes.",
    )

    def policy(self, strategy_name: str) -> ShortagePolicy:
        """What to do when nothing fits.

        Args:
            strategy_name: The strategy, whose usual choice may be meant.
        """
        choice = usual_choice(strategy_name)
        if self.when_nothing_fits != "by_strategy":
            choice = WhenNothingFits(self.when_nothing_fits)
        return ShortagePolicy(choice, self.wait_for_addresses_minutes * 60)


class RetryOptions(FormGroup):
    """When a failed run is followed by another one."""

    retries: Annotated[int, Field(ge=0, le=50)] = Field(
        default=2, description="How many runs may follow a failed one."
    )
    retry_delay_seconds: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = Field(
        default=30,
        description="The pause before the first of them when the failure needs time, as a quota "
        "does; it doubles each time, up to an hour. To another connection it moves without a "
        "pause.",
    )
    retry_every_failure: bool = Field(
        default=False,
        description="Also retry failures that a new run cannot fix, such as a broken script, and "
        "always pause before a retry, as in the AWS blog post.",
    )
    failure_rules: FailureRules = Field(
        default=[],
        description="Your own rules by the run's error message, 20 at most: try another "
        "connection, wait, or stop. The first that matches counts; where none does, the built-in "
        "table decides.",
    )

    max_dpu_hours: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)] | None = Field(
        default=None,
        description="No run follows a failed one when all runs so far took this many DPU-hours or "
        "more. Empty: there is no such limit.",
    )
    ask_within_minutes: MinutesOrNone = Field(
        default=0,
        description="At that limit, ask on this flow run's page whether another run may follow, "
        "and wait so long for the answer; after that none follows. 0: do not ask, and none "
        "follows.",
    )

    @property
    def policy(self) -> RetryPolicy:
        """The same for the attempts."""
        return RetryPolicy(self.retries, self.retry_delay_seconds, self.retry_every_failure)


class WaitOptions(FormGroup):
    """How long a run is waited for, and what happens to it when nobody waits any more."""

    deadline_minutes: Minutes = Field(
        default=2880,
        description="How long to wait for one run: for addresses, for a free run slot of the job, "
        "and for its end. A started run continues then, and one that was not started is not "
        "started any more. It counts from the start again for each attempt, and after Retry.",
    )
    when_deadline_passes: Literal["leave", "stop"] = Field(
        default="leave",
        description="What happens to a live run at the deadline. leave: it continues. stop: it is "
        "stopped, and the flow run ends when it has ended.",
    )
    wait_for_end: bool = Field(
        default=True,
        description="Off: the flow run ends when the run is RUNNING, or after 5 minutes of waiting "
        "for that. A run that fails before is repeated; one that fails later is not.",
    )
    when_crashed: Literal["leave", "stop"] = Field(
        default="leave",
        description="What happens to a live run when this flow's process dies. leave: retrying the "
        "flow run adopts it. stop: it is stopped.",
    )
    follow_logs: bool = Field(
        default=True,
        description="Show in this flow run's log what the script writes, while it runs. Takes the "
        "permission logs:GetLogEvents, without which the run goes on and its log is not shown.",
    )


class AdvancedOptions(FormGroup):
    """What few runs need."""

    strategy_function: StrategyFunction = Field(
        default="",
        description="Your own strategy, for strategy custom: module:function, whose module "
        "FLINKGLUE_STRATEGY_MODULES lists where flows run.",
    )
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = Field(
        default=None, description="Repeats a random order. Empty: a new one each time."
    )
    allow_several_vpcs: bool = Field(
        default=False, description="Allow connections of more than one VPC."
    )
    read_all_connections: bool = Field(
        default=False,
        description="Read all connections of the account with one call, which is faster from about "
        "20 connections on. Takes the permission glue:GetConnections.",
    )
    check_security_groups: bool = Field(
        default=False,
        description="Read the connections' security groups before the start, with one more call, "
        "so that a connection whose group is missing or of another VPC comes last. Takes the "
        "permission ec2:DescribeSecurityGroups.",
    )
    restore_order: bool = Field(
        default=False,
        description="Put the job's connections back as they were, once its runs no longer need the "
        "order. An order that somebody else has written meanwhile is kept. After a kill, when Glue "
        "or others are busy, or when a queued run is not waited for, it may stay as it is until "
        "the job's next flow run.",
    )
    allow_lost_settings: bool = Field(
        default=False,
        description="Write the order although the job loses a setting by it: one that the "
        "installed boto3 does not know yet, or a repository's token, which Glue does not show. "
        "Off: the flow run fails before anything is written, and names the settings.",
    )
    reset_bookmark: bool = Field(
        default=False,
        description="Reset the job's bookmark before the first run, so that it reads everything "
        "again. Takes the permission glue:ResetJobBookmark.",
    )
    price_per_dpu_hour: Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)] | None = Field(
        default=None,
        description="What a DPU-hour costs for this job, in your currency, to show an estimate of "
        "what all runs cost. Empty: only the capacity is shown.",
    )


def strategy_name(strategy: StrategyChoice, strategy_function: str) -> str:
    """The strategy as the library knows it: by its name, or as module:function.

    Raises:
        InvalidInput: A function is missing for custom, or given for another strategy.
    """
    field = "advanced_options.strategy_function"
    if strategy == CUSTOM:
        if not strategy_function:
            raise InvalidInput(field, strategy_function, "module:function, for strategy custom")
        return strategy_function
    if strategy_function:
        raise InvalidInput(field, strategy_function, f"nothing for strategy {strategy}")
    return strategy


MOVED = {
    "seed": "advanced_options.seed",
    "when_nothing_fits": "shortage_options.when_nothing_fits",
    "wait_for_addresses_minutes": "shortage_options.wait_for_addresses_minutes",
    "extra_nodes": "shortage_options.extra_nodes",
    "needed_addresses": "shortage_options.needed_addresses",
    "allow_several_vpcs": "advanced_options.allow_several_vpcs",
    "read_all_connections": "advanced_options.read_all_connections",
    "check_security_groups": "advanced_options.check_security_groups",
    "restore_order": "advanced_options.restore_order",
    "allow_lost_settings": "advanced_options.allow_lost_settings",
    "retries": "retry_options.retries",
    "retry_delay_seconds": "retry_options.retry_delay_seconds",
    "retry_every_failure": "retry_options.retry_every_failure",
    "failure_rules": "retry_options.failure_rules",
    "deadline_minutes": "wait_options.deadline_minutes",
    "when_deadline_passes": "wait_options.when_deadline_passes",
    "wait_for_end": "wait_options.wait_for_end",
    "when_crashed": "wait_options.when_crashed",
    "follow_logs": "wait_options.follow_logs",
    "reset_bookmark": "advanced_options.reset_bookmark",
    "price_per_dpu_hour": "advanced_options.price_per_dpu_hour",
}
"""Where the parameters of glue-job are that had no group before."""


def with_strategy_function(parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters with a module:function that was given as the strategy in its field of now."""
    strategy = parameters.get("strategy")
    if not isinstance(strategy, str) or ":" not in strategy:
        return parameters
    function = {"strategy_function": "advanced_options.strategy_function"}
    given = parameters | {"strategy": CUSTOM, "strategy_function": strategy}
    return in_their_places(given, function)
