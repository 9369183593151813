"""Launching a job on a JobManager so that it is there once: looked for, sent, looked for again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from flinkglue.errors import CallFailed, Conflict, InDoubt
from flinkglue.flink.failures import SERVICE, FlinkRefused, StillInMain
from flinkglue.flink.lifecycle_rest import FlinkLifecycleClient
from flinkglue.flink.main_method import has_run, in_words, is_duplicate, second_job
from flinkglue.flink.patience import PASSING, Patience
from flinkglue.flink.program_run import run_of
from flinkglue.lifecycle.backend import Launch, LaunchRefused, MoreThanOneJob
from flinkglue.lifecycle.models import JobSpec, JobView

# How often a submit whose answer was lost is sent again under its job id, which Flink takes once.
_MOST_SUBMITS = 3
# A job whose main() failed has been submitted before that, or not at all.
_LOOKS_AFTER_MAIN = 3
_LOOKS_IN_DOUBT = 5


class JobLauncher:
    """Launches jobs on one JobManager.

    Args:
        client: The JobManager.
        jar_on_cluster: Uploads a job's jar unless it is there, and returns its jar id.
        view: Looks at a job by its Flink job id.
        settings: Reads the JobManager's own settings.
        patience: How often to look.
    """

    def __init__(
        self,
        client: FlinkLifecycleClient,
        jar_on_cluster: Callable[[JobSpec], str],
        view: Callable[[str], JobView | None],
        settings: Callable[[], Mapping[str, str]],
        patience: Patience,
    ) -> None:
        self._client = client
        self._jar_on_cluster = jar_on_cluster
        self._view = view
        self._settings = settings
        self._patience = patience

    def submit(self, launch: Launch) -> JobView:
        """See ``FlinkBackend.submit``."""
        doubt: CallFailed | None = None
        for sent_before in range(_MOST_SUBMITS):
            if view := self._look_for(launch.job_id, _LOOKS_IN_DOUBT if sent_before else 1):
                return view
            sent_at = self._patience.clock.monotonic()
            try:
                refusal = self._send(launch, self._jar_on_cluster(launch.spec))
            except StillInMain as error:
                return self._followed(launch, error, sent_at)
            except (InDoubt, *PASSING) as error:
                # main() may not have reached execute() yet, so that there is nothing to see. The
                # same job id again is safe: Flink refuses the second of the two.
                doubt = error
            else:
                if refusal is not None:
                    sent_once = not (sent_before or launch.asked_before)
                    return self._judged(launch, refusal, sent_once=sent_once)
        if view := self._look_for(launch.job_id, _LOOKS_IN_DOUBT):
            return view
        raise _never_seen(launch, doubt) from doubt

    def _followed(self, launch: Launch, doubt: StillInMain, sent_at: float) -> JobView:
        """The job when main() has submitted it; sent again, main() would run a second time."""
        clock, patience = self._patience.clock, self._patience
        give_up_at = max(
            sent_at + self._client.main_seconds, clock.monotonic() + patience.outage_seconds
        )
        for pause in patience.pace.pauses():
            if view := self._view(launch.job_id):
                return view
            if clock.monotonic() + pause > give_up_at:
                raise _never_seen(launch, doubt) from doubt
            clock.sleep(pause)
        raise AssertionError("pauses never end")

    def _send(self, launch: Launch, jar_id: str) -> CallFailed | None:
        """Flink's refusal, where the job may be there all the same."""
        spec = launch.spec
        run = run_of(spec, jar_id, self._settings)
        try:
            self._client.run_jar(
                jar_id,
                job_id=launch.job_id,
                entry_class=run.entry_class,
                program_args=run.args,
                parallelism=spec.parallelism,
                savepoint_path=launch.restore_from,
                allow_non_restored_state=spec.allow_non_restored_state,
                restore_mode=spec.restore_mode,
                flink_configuration=run.flink_configuration,
            )
        except (FlinkRefused, Conflict) as error:
            return error
        return None

    def _judged(self, launch: Launch, error: CallFailed, *, sent_once: bool) -> JobView:
        """The job, where it is there although its launch was answered with an error."""
        taken = is_duplicate(error)
        looks = _LOOKS_IN_DOUBT if taken else _LOOKS_AFTER_MAIN if has_run(error) else 1
        view = self._look_for(launch.job_id, looks)
        if view is None and taken:
            raise LaunchRefused(
                f"job {launch.job_id} ({launch.spec.job_name}) was started before, has ended, and "
                "Flink has forgotten how. Ask for a new launch if it is to run again."
            ) from error
        if view is None:
            raise self._refused(launch, error) from error
        if jobs := second_job(error, view.job_name, sent_once=sent_once):
            raise MoreThanOneJob(jobs) from error
        if taken:
            return view
        if view.is_terminal and view.state != "FINISHED":
            raise self._refused(launch, error) from error
        return replace(view, main_failure=in_words(error))

    def _refused(self, launch: Launch, error: CallFailed) -> LaunchRefused:
        return LaunchRefused(f"Flink refused job {launch.spec.job_name}: {in_words(error)}")

    def _look_for(self, job_id: str, looks: int) -> JobView | None:
        pauses = self._patience.pace.pauses()
        for _ in range(looks):
            if view := self._view(job_id):
                return view
            if looks > 1:
                self._patience.clock.sleep(next(pauses))
        return None


def _never_seen(launch: Launch, doubt: CallFailed | None) -> InDoubt:
    return InDoubt(
        SERVICE,
        "RunJar",
        f"job {launch.job_id} ({launch.spec.job_name})",
        doubt.reason if doubt else "Flink took the job and does not show it",
        advice="Run the same action again: it looks for this job id first.",
    )
