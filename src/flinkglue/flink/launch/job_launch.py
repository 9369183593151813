"""Launching a job on a JobManager so that it is there once: looked for, sent, looked for again."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import islice

from flinkglue.errors import CallFailed, Conflict, InDoubt
from flinkglue.flink.api.failures import SERVICE, FlinkRefused, StillInMain
from flinkglue.flink.api.lifecycle_rest import FlinkLifecycleClient
from flinkglue.flink.launch.main_method import has_run, in_words, is_duplicate, second_job
from flinkglue.flink.launch.program_run import ProgramRun, run_of
from flinkglue.flink.timeouts import FlinkTimeouts
from flinkglue.lifecycle.backend import Launch, LaunchRefused, MoreThanOneJob
from flinkglue.lifecycle.models import JobSpec, JobView
from flinkglue.polling import TRANSIENT, polls_for

# How often a submit whose answer was lost is sent again under its job id, which Flink takes once.
_MOST_SUBMITS = 3
# A job whose main() failed has been submitted before that, or not at all.
_POLLS_AFTER_MAIN = 3
_EARLIER_MAIN_SECONDS = 10.0
_POLLS_IN_DOUBT = 5
_TAKEN_UNSEEN = (
    "Flink refuses its id as taken and does not show the job: it is still being submitted, or it "
    "has ended and is forgotten. Nothing was started"
)


class JobLauncher:
    """Launches jobs on one JobManager.

    Args:
        jar_on_cluster: Uploads a job's jar unless it is there, and returns its jar id.
        settings: Reads the JobManager's own settings, or raises why it cannot.
    """

    def __init__(
        self,
        client: FlinkLifecycleClient,
        jar_on_cluster: Callable[[JobSpec], str],
        view: Callable[[str], JobView | None],
        settings: Callable[[], Mapping[str, str]],
        timeouts: FlinkTimeouts,
    ) -> None:
        self._client = client
        self._jar_on_cluster = jar_on_cluster
        self._view = view
        self._settings = settings
        self._timeouts = timeouts

    def submit(self, launch: Launch) -> JobView:
        """See ``FlinkBackend.submit``."""
        if view := self._of_an_earlier_process(launch):
            return view
        doubt: CallFailed | None = None
        for sent_before in range(_MOST_SUBMITS):
            if view := self._poll_for(launch.job_id, _POLLS_IN_DOUBT if sent_before else 1):
                return view
            sent_at = self._timeouts.clock.monotonic()
            try:
                jar_id = self._jar_on_cluster(launch.spec)
                run = run_of(launch.spec, jar_id, self._settings)
            except (InDoubt, *TRANSIENT) as error:
                doubt = error
                continue
            launch.about_to_send()
            try:
                refusal = self._send(launch, jar_id, run)
            except StillInMain as error:
                return self._followed(launch, error, sent_at)
            except (InDoubt, *TRANSIENT) as error:
                # main() may not have reached execute() yet, so that there is nothing to see. The
                # same job id again is safe: Flink refuses the second of the two.
                doubt = error
            else:
                if refusal is not None:
                    sent_once = not (sent_before or launch.requested_before)
                    return self._judged(launch, refusal, sent_once=sent_once)
        if view := self._poll_for(launch.job_id, _POLLS_IN_DOUBT):
            return view
        raise _never_observed(launch, doubt) from doubt

    def _of_an_earlier_process(self, launch: Launch) -> JobView | None:
        """The job that an earlier process sent, whose main() may not have submitted it yet.

        It is not known whether the request arrived before that process died, so it is sent again
        after a short search: Flink takes a job id once, and main() may have run twice.
        """
        left = min(self._client.main_seconds - launch.sent_ago_seconds, _EARLIER_MAIN_SECONDS)
        if not launch.requested_before or left <= 0:
            return None
        return self._poll_until(launch.job_id, self._timeouts.clock.monotonic() + left)

    def _followed(self, launch: Launch, doubt: StillInMain, sent_at: float) -> JobView:
        """The job when main() has submitted it; sent again, main() would run a second time."""
        clock, timeouts = self._timeouts.clock, self._timeouts
        give_up_at = max(
            sent_at + self._client.main_seconds, clock.monotonic() + timeouts.outage_seconds
        )
        if view := self._poll_until(launch.job_id, give_up_at):
            return view
        raise _never_observed(launch, doubt) from doubt

    def _send(self, launch: Launch, jar_id: str, run: ProgramRun) -> CallFailed | None:
        """Flink's refusal, where the job may be there all the same."""
        spec = launch.spec
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
        view = (
            self._taken(launch)
            if taken
            else self._poll_for(launch.job_id, _POLLS_AFTER_MAIN if has_run(error) else 1)
        )
        if view is None and taken and not launch.was_observed:
            raise _in_doubt(launch, _TAKEN_UNSEEN) from error
        if view is None and taken:
            raise LaunchRefused(
                f"job {launch.job_id} ({launch.spec.job_name}) was started before, has ended, and "
                "Flink has forgotten how. Start a new launch to run it again."
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

    def _taken(self, launch: Launch) -> JobView | None:
        """The job whose id Flink has taken: it refuses a second one before it shows the first."""
        if launch.was_observed:
            return self._poll_for(launch.job_id, _POLLS_IN_DOUBT)
        clock = self._timeouts.clock
        return self._poll_until(launch.job_id, clock.monotonic() + self._timeouts.outage_seconds)

    def _refused(self, launch: Launch, error: CallFailed) -> LaunchRefused:
        return LaunchRefused(f"Flink refused job {launch.spec.job_name}: {in_words(error)}")

    def _poll_until(self, job_id: str, give_up_at: float) -> JobView | None:
        clock = self._timeouts.clock
        left = give_up_at - clock.monotonic()
        return self._first_view(job_id, polls_for(left, self._timeouts.pace, clock))

    def _poll_for(self, job_id: str, polls: int) -> JobView | None:
        endless = polls_for(math.inf, self._timeouts.pace, self._timeouts.clock)
        return self._first_view(job_id, islice(endless, polls))

    def _first_view(self, job_id: str, polls: Iterable[float]) -> JobView | None:
        return next(filter(None, (self._view(job_id) for _ in polls)), None)


def _never_observed(launch: Launch, doubt: CallFailed | None) -> InDoubt:
    reason = doubt.reason if doubt else "Flink took the job and does not show it"
    return _in_doubt(launch, reason)


def _in_doubt(launch: Launch, reason: str) -> InDoubt:
    return InDoubt(
        SERVICE,
        "RunJar",
        f"job {launch.job_id} ({launch.spec.job_name})",
        reason,
        advice="Run the same action again: it searches for this job id first.",
    )
