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
        description="What to do when no subnet holds the whole run. wait: wait for addresses, then "
        "run with fewer nodes on the best usable connection. use_best: do that at once. fail: do "
        "not run. by_strategy: use_best for random and capacity, as in the AWS blog post, else "
        "wait. A run that no subnet has two addresses for waits in either case, and then fails.",
    )
    wait_for_addresses_minutes: Annotated[float, Field(ge=0, le=2880, allow_inf_nan=False)] = Field(
        default=10,
        description="How long to wait for addresses, within deadline_minutes. It starts again "
        "after a wait for a run slot of the job, as the addresses of a run come back one or two "
        "minutes after its end.",
    )
    extra_nodes: Annotated[int, Field(ge=0, le=10)] | None = Field(
        default=None,
        description="Nodes that Glue adds to the job's workers, each with its own address. "
        "Empty: 2, which are reserved for the run; random and capacity, as in the AWS blog post, "
        "do not check that a subnet has room for them.",
    )
    needed_addresses: Count | None = Field(
        default=None,
        description="Addresses that a run needs. Overrides workers plus extra nodes.",
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
        default=2, description="How many more runs may be started after failed ones."
    )
    retry_delay_seconds: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = Field(
        default=30,
        description="The pause before the first retry of a failure that needs time, such as a "
        "quota; it doubles each time, up to an hour. A failover has no pause.",
    )
    retry_every_failure: bool = Field(
        default=False,
        description="Also retry failures that a new run cannot fix, such as a broken script, and "
        "always pause before a retry, as in the AWS blog post.",
    )
    failure_rules: FailureRules = Field(
        default=[],
        description="Your own rules by the run's error message, at most 20: try another "
        "connection, wait, or stop. The first match decides; without one, the built-in table does.",
    )

    max_dpu_hours: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)] | None = Field(
        default=None,
        description="No more runs are started once all runs of the flow run together took this "
        "many DPU-hours; those before a Retry count. Empty: no limit.",
    )
    ask_within_minutes: MinutesOrNone = Field(
        default=0,
        description="At max_dpu_hours, ask on this flow run's page whether to start another run, "
        "and wait this long for the answer. Without an answer, or with 0, none is started; with 0, "
        "Retry at the limit is refused.",
    )

    @property
    def policy(self) -> RetryPolicy:
        """The same for the attempts."""
        return RetryPolicy(self.retries, self.retry_delay_seconds, self.retry_every_failure)


class WaitOptions(FormGroup):
    """How long a run is waited for, and what happens to it when nobody does."""

    deadline_minutes: Minutes = Field(
        default=2880,
        description="How long one attempt may take: waiting for addresses, for a run slot of the "
        "job, and for the run's end. A run that was started continues after that; one that was "
        "not is never started. Each attempt, and each Retry, has the whole time.",
    )
    when_deadline_passes: Literal["leave", "stop"] = Field(
        default="leave",
        description="What happens to a live run at the deadline. leave: it continues. stop: it is "
        "stopped, and the flow run waits for its end.",
    )
    wait_for_end: bool = Field(
        default=True,
        description="Off: the flow run ends when the run is RUNNING, or after 5 minutes of waiting "
        "for that. A run that fails before that is retried; one that fails later is not.",
    )
    when_crashed: Literal["leave", "stop"] = Field(
        default="leave",
        description="What happens to a live run when this flow's process dies. leave: retrying the "
        "flow run adopts it. stop: it is stopped.",
    )
    follow_logs: bool = Field(
        default=True,
        description="Show in this flow run's log what the script writes, while it runs. Needs the "
        "permission logs:GetLogEvents; without it the log is not shown.",
    )


class AdvancedOptions(FormGroup):
    """Settings that few runs need."""

    strategy_function: StrategyFunction = Field(
        default="",
        description="Your own function for strategy custom, as module:function. The worker's "
        "FLINKGLUE_STRATEGY_MODULES must list the module.",
    )
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = Field(
        default=None, description="Repeats a random order. Empty: a new seed each time."
    )
    allow_several_vpcs: bool = Field(
        default=False, description="Allow connections of more than one VPC."
    )
    read_all_connections: bool = Field(
        default=False,
        description="Read all connections of the account with one call, which is faster from about "
        "20 connections on. Needs the permission glue:GetConnections.",
    )
    check_security_groups: bool = Field(
        default=False,
        description="Read the connections' security groups before the start, with one more call, "
        "so that a connection whose group is missing or in another VPC comes last. Needs the "
        "permission ec2:DescribeSecurityGroups.",
    )
    restore_order: bool = Field(
        default=False,
        description="Restore the job's own order of connections once no run needs the chosen one. "
        "An order that someone else wrote in the meantime is kept. After a kill, when Glue or "
        "others are busy, or when a queued run is not waited for, it is restored by the job's next "
        "flow run.",
    )
    allow_lost_settings: bool = Field(
        default=False,
        description="Write the order even if the job loses a setting: one that the installed boto3 "
        "does not know, or a repository's token, which Glue does not show. Off: the flow run fails "
        "before anything is written, and names the settings.",
    )
    reset_bookmark: bool = Field(
        default=False,
        description="Reset the job's bookmark before the first run, so that it reads everything "
        "again. Needs the permission glue:ResetJobBookmark.",
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
"""Where the parameters of glue-job are that had no group before; later ones are in theirs alone."""


def with_strategy_function(parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters with a module:function that was given as the strategy in its field of now."""
    strategy = parameters.get("strategy")
    if not isinstance(strategy, str) or ":" not in strategy:
        return parameters
    function = {"strategy_function": "advanced_options.strategy_function"}
    given = parameters | {"strategy": CUSTOM, "strategy_function": strategy}
    return in_their_places(given, function)
