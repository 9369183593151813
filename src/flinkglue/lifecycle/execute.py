"""From a request to how it ended: one intent, remembered from its beginning to its end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from itertools import count
from typing import Any

from flinkglue.clock import Clock
from flinkglue.errors import (
    Call,
    CallFailed,
    FlinkGlueError,
    InvalidInput,
    JobFailed,
    ServiceUnavailable,
)
from flinkglue.lifecycle.actions.perform import perform
from flinkglue.lifecycle.backend import FlinkBackend
from flinkglue.lifecycle.differences import Difference
from flinkglue.lifecycle.journal.journal import Journal, JournalStore
from flinkglue.lifecycle.journal.plans import Prepared
from flinkglue.lifecycle.journal.records import Entry, document_of, value_of
from flinkglue.lifecycle.models import Action, JobSpec, Outcome
from flinkglue.lifecycle.request.action import ActionRequest, Identify
from flinkglue.lifecycle.request.options import ActionOptions
from flinkglue.texts import counted

Show = Callable[[tuple[Difference, ...]], None]
"""Shows what a launch changes, before anything is changed."""


class RolledBack(JobFailed):
    """An update failed, and the old job runs again from the state that it had."""


def raise_for_failure(outcome: Outcome) -> Outcome:
    """This outcome, if it is a success.

    Raises:
        RolledBack: It is a failure, and the old job runs again.
        ServiceUnavailable: It is a question that the cluster did not answer.
        JobFailed: It is another failure.
    """
    if outcome.failure and outcome.action is Action.LIST_SAVEPOINT:
        call = Call("Flink", outcome.action, f"job {outcome.job_name}")
        known = f"{counted(len(outcome.savepoints), 'savepoint')} known from the ledger alone"
        raise ServiceUnavailable(*call, f"{known}; {outcome.failure}")
    if outcome.rolled_back:
        raise RolledBack(
            f"{outcome.action} of {outcome.job_name} was rolled back: {outcome.failure}"
        )
    return outcome.raise_for_failure()


def next_intent(journal: Journal, requested_by: str, attempt: str = "") -> str:
    """The intent of whoever requests again: a new one when the last one failed before.

    Args:
        requested_by: Who asks for what, for example ``<flow run id>:UPDATE``.
        attempt: Which attempt of theirs this is, for example the flow run's third. What ended in
            this very attempt, well or badly, is not requested again: its outcome stands.
    """

    def may_go_on(intent: str) -> bool:
        entry = journal.entry(intent)
        if entry is None or entry.outcome is None or entry.outcome.succeeded:
            return True
        return bool(attempt) and entry.ended_in == attempt

    return next(filter(may_go_on, (f"{requested_by}:{number}" for number in count(1))))


def requested_by_command(journal: Journal, intent: str, request: ActionRequest) -> str:
    """Who asks for what, of a command: one intent is about each action on each job by itself.

    The version before wrote down the bare intent: what began so goes on so.
    """
    known = journal.entry(f"{intent}:1")
    if known and (known.action, known.job_name) == (request.action, request.job_name):
        return intent
    return f"{intent}:{request.action}:{request.job_name}"


def last_intent(journal: Journal, requested_by: str) -> str:
    """The last intent that ``next_intent`` gave and that was begun; the first if none was."""
    begun = (number for number in count(1) if journal.entry(f"{requested_by}:{number + 1}") is None)
    return f"{requested_by}:{next(begun)}"


def entry_to_resume(journal: Journal, requested_by: str) -> Entry | None:
    """What the last intent has decided, or done well; None: nothing, and a person may be asked."""
    entry = journal.entry(last_intent(journal, requested_by))
    if entry is None or "plan" not in entry.facts:
        return None
    return entry if entry.outcome is None or entry.outcome.succeeded else None


def request_to_resume(
    journal: Journal, requested_by: str, request: ActionRequest
) -> ActionRequest | None:
    """The request as an interrupted requester goes on with it; None: nothing was decided yet.

    That state may be dropped was maybe agreed to by a person later: it is in the entry alone.
    """
    entry = entry_to_resume(journal, requested_by)
    if entry is None:
        return None
    agreed = bool((entry.facts.get("request") or {}).get("without_state"))
    return replace(request, without_state=request.without_state or agreed)


def execute(
    request: ActionRequest,
    intent: str,
    *,
    store: JournalStore,
    backend: FlinkBackend,
    identify: Identify,
    options: ActionOptions | None = None,
    clock: Clock | None = None,
    show: Show | None = None,
    emit: Callable[[str], None] = lambda line: None,
    attempt: str = "",
) -> Outcome:
    """Execute what was requested, or go on with it where this intent was interrupted.

    Args:
        intent: Who requested it; see ``next_intent``.
        show: Is shown what changes, before anything is changed.
        emit: Takes each line of the story as soon as it is written down.
        attempt: Which attempt of theirs this is; see ``next_intent``.

    Raises:
        InvalidInput, Refused: Nothing was changed.
        Conflict: Another intent on this job has not ended.
        CallFailed, DeadlineExceeded: It has not ended. Call again with the same intent.
    """
    journal = Journal(store, emit)
    known, requested = journal.entry(intent), (request.action, request.job_name)
    if known and known.outcome and (known.action, known.job_name) == requested:
        return known.outcome  # its jar may be gone by now
    with _request_remembered(store, intent):
        prepared = _prepared(request, intent, store, identify)
        if show is not None:
            show(prepared.changes)
        return perform(
            request,
            backend,
            journal,
            intent=intent,
            spec=prepared.spec,
            options=options,
            clock=clock,
            attempt=attempt,
        )


def _prepared(
    request: ActionRequest, intent: str, store: JournalStore, identify: Identify
) -> Prepared:
    """What to run, the same however often this intent asks, and what that changes.

    Until something is planned, it is made anew each time: others may have changed the job since.
    """
    requested_changes = json.loads(json.dumps(asdict(request.changes)))
    journal = Journal(store)
    entry, document = journal.entry(intent), store.read("request", intent)
    known = value_of(Prepared, document) if document else None
    if known and _given(known.requested) != _given(requested_changes):
        raise InvalidInput("intent", intent, "one with the same request, or a new one")
    if known is None or entry is None or "plan" not in entry.facts:
        last = journal.job_record(request.job_name).spec
        spec = request.spec(last, identify)
        known = Prepared(requested_changes, spec, _changes(last, spec))
        store.write("request", intent, document_of(known))
    return known


def _given(request: Mapping[str, Any]) -> dict[str, Any]:
    """Without what was left empty: an older version knew fewer fields."""
    return {name: value for name, value in request.items() if value is not None}


def _changes(last: JobSpec | None, spec: JobSpec | None) -> tuple[Difference, ...]:
    return last.difference(spec) if last and spec else ()


@contextmanager
def _request_remembered(store: JournalStore, intent: str) -> Iterator[None]:
    """Forgets the request when its intent has ended, or was refused before it did anything."""
    try:
        yield
    except FlinkGlueError:
        _forget_if_over(store, intent)
        raise
    _forget_if_over(store, intent)


def _forget_if_over(store: JournalStore, intent: str) -> None:
    """Best effort: whether the action has ended, and how, is known by now."""
    with suppress(CallFailed):
        entry = Journal(store).entry(intent)
        if entry is None or entry.outcome is not None:
            store.delete("request", intent)
