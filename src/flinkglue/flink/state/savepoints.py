"""Savepoints, stops and disposals on a JobManager: requested once, followed to their end."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import accumulate, islice, takewhile

from flinkglue.flink.api.failures import FlinkRefused, JobNotFound
from flinkglue.flink.api.lifecycle_rest import AsyncOperation, FlinkLifecycleClient
from flinkglue.flink.state.directories import StateDirectories
from flinkglue.flink.timeouts import FlinkTimeouts
from flinkglue.lifecycle.backend import OnSavepoint, SavepointFailed, SavepointRequest
from flinkglue.lifecycle.models import JobView
from flinkglue.lifecycle.state_paths import is_same_path
from flinkglue.polling import polls_for

# Flink's StopWithSavepointStoppingException: the savepoint is good, the stop was not.
_GOOD_SAVEPOINT = re.compile(r"savepoint has been created at: (?P<path>.+?), but")
# Flink's answer to disposing of a savepoint twice.
_ALREADY_GONE = "Cannot find checkpoint or savepoint"
_NO_DIRECTORY = "Name a savepoint directory, or set one for the cluster."
# Flink's refusal while a job's tasks are deployed, restore their state or fail over.
_TASKS_OPENING = "Not all required tasks are currently running"
_MOST_TRIES = 100  # a pace without pauses is one of tests

Trigger = Callable[[str], None]
"""Asks for it under a trigger id."""
Already = Callable[[SavepointRequest], str | None]
"""The path of a savepoint that was taken, though Flink has forgotten its operation."""


class SavepointOperations:
    """Follows Flink's asynchronous operations by trigger ids that the caller chose."""

    def __init__(
        self,
        client: FlinkLifecycleClient,
        view: Callable[[str], JobView | None],
        directories: StateDirectories,
        timeouts: FlinkTimeouts,
    ) -> None:
        self._client = client
        self._view = view
        self._directories = directories
        self._timeouts = timeouts

    def take(self, request: SavepointRequest) -> str:
        """Take a savepoint of a running job; see ``FlinkBackend.savepoint``."""
        trigger = partial(
            self._client.trigger_savepoint,
            request.job_id,
            directory=request.directory,
            format_type=request.format,
        )
        done = self._followed_until_tasks_run(request, trigger, self._already_taken)
        if isinstance(done, str):
            return done
        if done.location:
            return done.location
        raise SavepointFailed(
            f"Flink did not take a savepoint of job {request.job_id}: {done.failure}"
        )

    def stop(self, request: SavepointRequest, observed: OnSavepoint) -> str:
        """Stop a job with a savepoint; see ``FlinkBackend.stop_with_savepoint``."""
        trigger = partial(
            self._client.stop,
            request.job_id,
            directory=request.directory,
            drain=request.drain,
            format_type=request.format,
        )
        done = self._followed_until_tasks_run(request, trigger, self._already_stopped)
        if isinstance(done, str):
            return done
        if done.location is None:
            good = _GOOD_SAVEPOINT.search(done.stack_trace)
            raise SavepointFailed(
                f"Flink did not stop job {request.job_id}: {done.failure}",
                good["path"] if good else None,
            )
        observed(done.location)
        return self._ended(request.job_id, done.location)

    def dispose(self, path: str) -> None:
        """Delete a savepoint; see ``FlinkBackend.dispose_savepoint``."""
        request_id = self._timeouts.retry(lambda: self._client.dispose_savepoint(path))
        polling = self._timeouts.polling(f"the disposal of {path}")
        while True:
            done = self._timeouts.retry(lambda: self._client.disposal_operation(request_id))
            if done is None:
                raise SavepointFailed(
                    f"Flink no longer knows the disposal of {path}: ask for it again"
                )
            if done.completed and (done.failure is None or _ALREADY_GONE in done.stack_trace):
                return
            if done.completed:
                raise SavepointFailed(f"Flink did not dispose of {path}: {done.failure}")
            polling.pause()

    def _followed_until_tasks_run(
        self, request: SavepointRequest, trigger: Trigger, already: Already
    ) -> AsyncOperation | str:
        """The same, requested again while tasks of the job are still opening.

        Flink keeps what it answered to a trigger id, so each try has one of its own, made from the
        first: a process that goes on later finds them in the same order.
        """
        newest = self._newest_triggered(request) if request.requested_before else 0
        times = self._timeouts
        polls = polls_for(times.outage_seconds, times.pace, times.clock)
        for number, _ in enumerate(polls, newest):
            tried = replace(request, trigger_id=_nth_trigger_id(request.trigger_id, number))
            done = self._follow(tried, trigger, already)
            if isinstance(done, str) or _TASKS_OPENING not in done.stack_trace:
                break
        return done

    def _newest_triggered(self, request: SavepointRequest) -> int:
        """The number of the last try that an earlier process made, as far as Flink knows it.

        Flink forgets the first ones while a later one is in progress.
        """
        for number in reversed(range(self._most_tries())):
            if self._operation(request.job_id, _nth_trigger_id(request.trigger_id, number)):
                return number
        return 0

    def _operation(self, job_id: str, trigger_id: str) -> AsyncOperation | None:
        return self._timeouts.retry(lambda: self._client.savepoint_operation(job_id, trigger_id))

    def _most_tries(self) -> int:
        """No process makes more within the time for it, however quickly it is answered."""
        pace, within_seconds = self._timeouts.pace, self._timeouts.outage_seconds
        shortest = ((1 - pace.jitter) * pause for pause in replace(pace, jitter=0).pauses())
        tried_at = islice(accumulate(shortest, initial=0.0), _MOST_TRIES - 1)
        # The last try is when the time is up.
        return sum(1 for _ in takewhile(lambda at: at < within_seconds, tried_at)) + 1

    def _follow(
        self, request: SavepointRequest, trigger: Trigger, already: Already
    ) -> AsyncOperation | str:
        """The completed operation, or the path of a savepoint whose operation was forgotten."""
        polling = self._timeouts.polling(f"savepoint {request.trigger_id} of job {request.job_id}")
        while True:
            operation = self._operation(request.job_id, request.trigger_id)
            if operation is None:
                # Never requested, forgotten after five minutes, or lost with the JobManager.
                if path := already(request):
                    return path
                self._trigger(request, trigger)
            elif operation.completed:
                return operation
            polling.pause()

    def _already_taken(self, request: SavepointRequest) -> str | None:
        view = self._view(request.job_id)
        if view is None:
            raise self._lost(request)
        path = _new(view.savepoint_path, request)
        if path is None and view.is_terminal:
            raise _ended_before(request, view)
        return path

    def _already_stopped(self, request: SavepointRequest) -> str | None:
        view = self._view(request.job_id)
        if view is None:
            lost = self._lost(request)
            if lost.path:
                return lost.path
            raise lost
        if not view.is_terminal:
            return None
        path = _new(view.savepoint_path, request)
        if path is None:
            raise _ended_before(request, view)
        if view.state != "FINISHED":
            raise SavepointFailed(f"job {request.job_id} ended as {view.in_words()}", path)
        return path

    def _lost(self, request: SavepointRequest) -> SavepointFailed:
        """What there is to say of a job that is gone: with its savepoint, if storage has one."""
        stored = self._directories.savepoints("", frozenset({request.job_id}))
        newest = next((savepoint.path for savepoint in stored.savepoints), None)
        path = _new(newest, request)
        reason = f"the JobManager no longer knows job {request.job_id}"
        if path is None and stored.not_listed:
            unseen = "; ".join(stored.not_listed)
            reason += f". Whether it left a savepoint is not known: {unseen}"
        return SavepointFailed(reason, path)

    def _trigger(self, request: SavepointRequest, trigger: Trigger) -> None:
        try:
            self._timeouts.retry(lambda: trigger(request.trigger_id))
        except (FlinkRefused, JobNotFound) as error:
            refused = f"Flink refused a savepoint of job {request.job_id}: {error.reason}"
            raise SavepointFailed(f"{refused}. {_NO_DIRECTORY}") from error

    def _ended(self, job_id: str, path: str) -> str:
        polling = self._timeouts.polling(f"the end of job {job_id} after its savepoint {path}")
        while True:
            view = self._view(job_id)
            if view is None or view.state == "FINISHED":
                return path
            if view.is_terminal:
                raise SavepointFailed(f"job {job_id} ended as {view.in_words()}", path)
            polling.pause()


def _nth_trigger_id(first: str, number: int) -> str:
    if number == 0:
        return first
    return hashlib.sha256(f"{first}:{number}".encode()).hexdigest()[:32]


def _new(path: str | None, request: SavepointRequest) -> str | None:
    return None if is_same_path(path, request.earlier_path) else path


def _ended_before(request: SavepointRequest, view: JobView) -> SavepointFailed:
    return SavepointFailed(
        f"job {request.job_id} ended as {view.in_words()} before a savepoint was taken"
    )
