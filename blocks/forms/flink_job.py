"""What a person fills in about an action on a Flink job, or a watch of jobs, in groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from flinkglue.flink.inputs import (
    JarAddress,
    JavaClass,
    JobId,
    OptionalSavepoint,
    PythonModule,
)
from flinkglue.form_schema import FormGroup
from flinkglue.lifecycle.health.judgement import HealthLimits
from flinkglue.lifecycle.interrupted import OnCancel
from flinkglue.lifecycle.models import Action, RestoreMode
from flinkglue.lifecycle.readiness import ReadyLimits
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.request.changes import JobChanges
from flinkglue.lifecycle.request.options import ActionOptions
from flinkglue.lifecycle.savepoint_formats import SavepointFormat
from flinkglue.quantities import (
    Count,
    CountOrNone,
    Hours,
    Minutes,
    MinutesOrNone,
    Parallelism,
    Seconds,
    SilentMinutes,
)


class ProgramOptions(FormGroup):
    """What the job runs. Empty fields stay as the job ran last."""

    jar: JarAddress | None = Field(
        default=None,
        description="The address of the jar, the Python program (.py or .zip) or the SQL script "
        "(.sql): a path on the worker, or an https, s3 or abfs address. Empty: what was launched "
        "last; an update reads it again.",
    )
    entry_class: JavaClass | None = Field(
        default=None,
        description="The full name of the class with main(). Empty: as it ran last, or what the "
        "jar's manifest says.",
    )
    args: tuple[str, ...] | None = Field(
        default=None,
        description="Arguments of main(), one per item. Empty: as it ran last.",
    )
    parallelism: Parallelism | None = Field(
        default=None,
        description="The job's parallelism. Empty: as it ran last, or 1.",
    )
    flink_configuration: dict[str, str] | None = Field(
        default=None,
        description="Flink settings; the job's own code takes precedence. Empty: as it ran last.",
    )
    python_module: PythonModule | None = Field(
        default=None,
        description="For a Python program in a .zip: the module to run, for example orders.main. "
        "Empty: as it ran last.",
    )
    python_files: tuple[JarAddress, ...] | None = Field(
        default=None,
        description="For a Python program: the addresses of further .py and .zip files that it "
        "imports. Empty: as it ran last.",
    )


class StateOptions(FormGroup):
    """From which state the job starts, and how its state is written."""

    savepoint: OptionalSavepoint = Field(
        default="",
        description="A savepoint or retained checkpoint to start from, for NEW, START, "
        "LAST_STATE_UPDATE and RE_LAUNCH: its whole address, as LIST_SAVEPOINT shows it. Empty: "
        "the newest.",
    )
    allow_non_restored_state: bool = Field(
        default=False,
        description="For this launch only: start even if the savepoint has state that the job "
        "lacks.",
    )
    restore_mode: RestoreMode = Field(
        default="NO_CLAIM",
        description="For this launch only: NO_CLAIM leaves the savepoint in place, CLAIM lets "
        "Flink delete it.",
    )
    without_state: bool = Field(
        default=False,
        description="Only for NEW: start without state even if the job has a savepoint or a "
        "retained checkpoint. Off: NEW is refused then.",
    )
    savepoint_format: SavepointFormat = Field(
        default=SavepointFormat.AUTOMATIC,
        description="For SAVEPOINT, STOP and UPDATE. canonical: read by every state backend. "
        "native: faster, and read by the same state backend alone. automatic: canonical, unless "
        "the job's state backend, like ForSt, writes native ones only.",
    )


class WaitOptions(FormGroup):
    """How long an action may take, and what happens to the job when it is cancelled."""

    stable_seconds: Seconds = Field(
        default=10,
        description="How long a launched job must run without a restart to count as stable.",
    )
    ready_within_seconds: Seconds = Field(
        default=300, description="How long to wait for the job to be stable."
    )
    deadline_minutes: Minutes = Field(
        default=60,
        description="How long the action may take. The job is left as it is then, and a retry of "
        "this run resumes it.",
    )
    on_cancel: OnCancel = Field(
        default=OnCancel.LEAVE,
        description="What happens to the job when this run is cancelled while it waits. leave: it "
        "is left as it is. stop_with_savepoint or cancel: it is ended.",
    )


class AdvancedOptions(FormGroup):
    """Settings that few actions need."""

    job_id: JobId = Field(
        default="", description="The Flink job ID, where the name alone is ambiguous."
    )
    drain: bool = Field(
        default=False,
        description="For a permanent STOP only: let the sources finish first.",
    )
    roll_back: bool = Field(
        default=True,
        description="Whether an update, or a RE_LAUNCH with changes or a savepoint, returns to "
        "what ran before when the new job does not reach RUNNING. An update that could not return "
        "is refused.",
    )
    check_slots: bool = Field(
        default=True,
        description="Refuse an update when the cluster lacks the task slots that the new job "
        "needs. Off: for TaskManagers that something unknown to Flink adds; Kubernetes, YARN and "
        "the adaptive scheduler are recognized.",
    )
    ask_within_minutes: MinutesOrNone = Field(
        default=0,
        description="Ask on this run's page before STATELESS_UPDATE, or NEW of a job that has "
        "state, drops state, and wait this long for the answer; without one, nothing is changed. "
        "0: do not ask: STATELESS_UPDATE proceeds, and such a NEW is refused.",
    )
    take_over: bool = Field(
        default=False, description="Discard the unfinished action of a dead run on this job."
    )


ACTION_GROUPS: Mapping[str, type[FormGroup]] = {
    "program": ProgramOptions,
    "state_options": StateOptions,
    "wait_options": WaitOptions,
    "advanced_options": AdvancedOptions,
}
"""The parameters of flink-job-action that are groups."""


def request_of(parameters: Mapping[str, Any]) -> ActionRequest:
    """What the parameters of flink-job-action ask for.

    Raises:
        InvalidInput: They do not fit together; names the field.
    """
    state: StateOptions = parameters["state_options"]
    advanced: AdvancedOptions = parameters["advanced_options"]
    changes = JobChanges(
        **dict(parameters["program"]),
        allow_non_restored_state=state.allow_non_restored_state,
        restore_mode=state.restore_mode,
    )
    return ActionRequest(
        Action(parameters["action"]),
        parameters["job_name"],
        changes,
        savepoint_path=state.savepoint or None,
        job_id=advanced.job_id,
        drain=advanced.drain,
        take_over=advanced.take_over,
        without_state=state.without_state,
    )


def options_of(parameters: Mapping[str, Any]) -> ActionOptions:
    """How the parameters of flink-job-action want it done."""
    wait: WaitOptions = parameters["wait_options"]
    advanced: AdvancedOptions = parameters["advanced_options"]
    return ActionOptions(
        wait.deadline_minutes * 60,
        ReadyLimits(within_seconds=wait.ready_within_seconds, stable_seconds=wait.stable_seconds),
        advanced.roll_back,
        parameters["state_options"].savepoint_format,
        advanced.check_slots,
    )


class HealthOptions(FormGroup):
    """How long jobs are observed, and what counts as unhealthy."""

    watch_seconds: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = Field(
        default=60, description="How long to observe the jobs."
    )
    every_seconds: Seconds = Field(default=10, description="The pause between two observations.")
    max_restarts: CountOrNone = Field(
        default=2, description="More restarts than this count as a crash loop."
    )
    max_failed_checkpoints: CountOrNone = Field(
        default=2, description="More failed checkpoints than this are unhealthy."
    )
    counted_within_seconds: Seconds = Field(
        default=600,
        description="The time window for counting restarts and failed checkpoints, over several "
        "watches of the job.",
    )
    action_within_minutes: Minutes = Field(
        default=120,
        description="An action on a job that began longer ago and has not ended makes the job "
        "unhealthy.",
    )
    checkpoint_within_seconds: Seconds = Field(
        default=600, description="A checkpoint must complete in this time."
    )
    min_task_managers: Count | None = Field(
        default=None,
        description="Fewer TaskManagers than this are unhealthy. Empty: any number is fine.",
    )

    @property
    def limits(self) -> HealthLimits:
        """What counts as unhealthy."""
        return HealthLimits(
            self.max_restarts,
            self.max_failed_checkpoints,
            counted_within_seconds=self.counted_within_seconds,
            checkpoint_within_seconds=self.checkpoint_within_seconds,
            action_within_seconds=self.action_within_minutes * 60,
            least_taskmanagers=self.min_task_managers,
        )


class RelaunchOptions(FormGroup):
    """How often a job is relaunched, and how long that may take."""

    max_relaunches: Count = Field(
        default=3, description="Maximum relaunches within relaunch_window_hours."
    )
    relaunch_window_hours: Hours = Field(
        default=6, description="Time window for max_relaunches, in hours."
    )
    stable_seconds: Seconds = Field(
        default=10,
        description="How long a relaunched job must run without a restart to count as stable.",
    )
    deadline_minutes: Minutes = Field(default=30, description="How long one relaunch may take.")


class SilentRunOptions(FormGroup):
    """What to do about flow runs that are Running and no longer have a process."""

    silent_minutes: SilentMinutes | None = Field(
        default=None,
        description="A Running flow run that acts on the jobs no longer has a process after this "
        "long without a heartbeat, log line, task run or renewed claim. Use more than three times "
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY, 3 minutes by default. Empty: such flow runs are not "
        "searched for. The watch ends only after it has observed them for this long, so use a "
        "separate deployment.",
    )
    end_silent_runs: bool = Field(
        default=False,
        description="Set such flow runs to Crashed, so that they can be retried. Off: report only.",
    )


ACTION_MOVED = {
    name: f"{group}.{name}" for group, kind in ACTION_GROUPS.items() for name in kind.model_fields
}
"""Where the parameters of flink-job-action are that had no group before."""

WATCH_MOVED = {
    **{name: f"health_options.{name}" for name in HealthOptions.model_fields},
    **{name: f"relaunch_options.{name}" for name in RelaunchOptions.model_fields},
    **{name: f"silent_run_options.{name}" for name in SilentRunOptions.model_fields},
    "most_restarts": "health_options.max_restarts",
    "most_failed_checkpoints": "health_options.max_failed_checkpoints",
    "least_taskmanagers": "health_options.min_task_managers",
    "most_relaunches": "relaunch_options.max_relaunches",
}
"""Where the parameters of flink-watch are that had no group, or another name, before."""
