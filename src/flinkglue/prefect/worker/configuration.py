"""What a work pool of this type, a deployment or a flow run may set."""

from __future__ import annotations

from typing import Literal

from prefect.workers.process import ProcessJobConfiguration, ProcessVariables
from pydantic import Field

from flinkglue.prefect.worker.isolation import CANCEL_GRACE_AT_MOST, PULL_EVERY_AT_MOST

Isolation = Literal["thread", "process"]


class ThreadJobConfiguration(ProcessJobConfiguration):
    """How one flow run is run."""

    isolation: Isolation = "thread"
    pull_every_seconds: float = 0.0
    cancel_grace_seconds: float = 10.0


class ThreadVariables(ProcessVariables):
    """The form of the work pool, and the job variables of deployments and flow runs."""

    isolation: Isolation = Field(
        default="thread",
        title="Isolation",
        description=(
            "thread: the flow run is a thread of the worker's process and starts at once. "
            "process: it gets its own process, as with a process worker; choose it for code "
            "that may crash the interpreter, that changes the environment, or that is not trusted."
            " A flow run with a command, a working directory or environment variables that the "
            "worker does not have always gets a process, and so does an async or generator flow."
        ),
    )
    pull_every_seconds: float = Field(
        default=0.0,
        ge=0,
        le=PULL_EVERY_AT_MOST,
        title="Pull Interval (Seconds)",
        description=(
            "How long the code that the deployment's pull steps fetched may be used for further "
            "flow runs. 0: the steps run for each flow run; runs that start together share one. "
            "Steps that only set the working directory run once."
        ),
    )
    cancel_grace_seconds: float = Field(
        default=10.0,
        gt=0,
        le=CANCEL_GRACE_AT_MOST,
        title="Cancellation Grace (Seconds)",
        description=(
            "How long a cancelled flow run may take to notice. One that hangs longer, for example "
            "in a call without a time-out, is cancelled without it: its cancellation hooks run, "
            "and its thread counts towards the worker's limit until it ends."
        ),
    )
