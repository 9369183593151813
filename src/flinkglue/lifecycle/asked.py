"""What a person asks for, checked before any call and made whole with what the journal knows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from itertools import count

from flinkglue.errors import FlinkGlueError, InvalidInput
from flinkglue.lifecycle.journal import JobRecord, Journal, JournalStore, spec_document, spec_of
from flinkglue.lifecycle.models import RESTORE_MODES, Action, Difference, Jar, JobSpec, RestoreMode
from flinkglue.lifecycle.transaction import ActionRequest

Identify = Callable[[str], Jar]
"""Reads the jar at an address, for its hash and size."""

LAUNCHING = (
    Action.NEW,
    Action.START,
    Action.UPDATE,
    Action.STATELESS_UPDATE,
    Action.LAST_STATE_UPDATE,
    Action.RE_LAUNCH,
)
UPDATING = (Action.UPDATE, Action.STATELESS_UPDATE, Action.LAST_STATE_UPDATE)
_FROM_SAVEPOINT = (Action.NEW, Action.START, Action.LAST_STATE_UPDATE, Action.RE_LAUNCH)
JAR_PATTERN = r"^\S+\.jar$"
JOB_ID_PATTERN = r"^[0-9a-f]{32}$"


@dataclass(frozen=True)
class JobChanges:
    """What is to run. None: as it ran last.

    Args:
        jar: The jar's address.
        entry_class: The class with ``main()``.
        args: The arguments of ``main()``.
        parallelism: The default parallelism.
        flink_configuration: All settings of the job.
        allow_non_restored_state: For this launch.
        restore_mode: For this launch.
    """

    jar: str | None = None
    entry_class: str | None = None
    args: tuple[str, ...] | None = None
    parallelism: int | None = None
    flink_configuration: Mapping[str, str] | None = None
    allow_non_restored_state: bool = False
    restore_mode: RestoreMode = "NO_CLAIM"

    def __post_init__(self) -> None:
        if self.jar is not None and not re.fullmatch(JAR_PATTERN, self.jar):
            raise InvalidInput("jar", self.jar, "an address whose last part ends in .jar")
        if self.parallelism is not None and self.parallelism < 1:
            raise InvalidInput("parallelism", self.parallelism, "1 or more")
        if self.restore_mode not in RESTORE_MODES:
            raise InvalidInput("restore_mode", self.restore_mode, ", ".join(RESTORE_MODES))

    def given(self) -> list[str]:
        """The names of the fields that were filled in."""
        return [known.name for known in fields(self) if getattr(self, known.name) != known.default]

    def applied_to(self, last: JobSpec | None, job_name: str, jar: Jar) -> JobSpec:
        """The spec that this asks for, where ``last`` is what ran last."""
        spec = replace(last, jar=jar) if last else JobSpec(job_name, jar)
        values = {name: getattr(self, name) for name in self.given() if name != "jar"}
        # How a savepoint was taken over last says nothing about the next one.
        values |= {name: getattr(self, name) for name in _OF_ONE_LAUNCH}
        return replace(spec, **values)


_OF_ONE_LAUNCH = ("allow_non_restored_state", "restore_mode")


@dataclass(frozen=True)
class AskedAction:
    """An action as a form or a command line asks for it.

    Args:
        action: The action.
        job_name: The job.
        changes: What is to run, for the actions that launch a job.
        savepoint_path: What to start from.
        job_id: The Flink job that is meant, where the name alone does not tell.
        drain: Let the sources of a stopped job end first.
        take_over: Give up an unfinished intent on this job, whose process is known to be dead.
    """

    action: Action
    job_name: str
    changes: JobChanges = field(default_factory=JobChanges)
    savepoint_path: str | None = None
    job_id: str = ""
    drain: bool = False
    take_over: bool = False

    def __post_init__(self) -> None:
        if not self.job_name.strip():
            raise InvalidInput("job_name", self.job_name, "a name that is not blank")
        if self.action not in LAUNCHING and (given := self.changes.given()):
            value = getattr(self.changes, given[0])
            raise InvalidInput(given[0], value, self._only_for(LAUNCHING))
        if self.savepoint_path is not None and self.action not in _FROM_SAVEPOINT:
            raise InvalidInput("savepoint", self.savepoint_path, self._only_for(_FROM_SAVEPOINT))
        if self.job_id and not re.fullmatch(JOB_ID_PATTERN, self.job_id):
            raise InvalidInput("job_id", self.job_id, "32 lower-case hexadecimal digits")
        if self.drain and self.action is not Action.STOP:
            raise InvalidInput("drain", self.drain, self._only_for((Action.STOP,)))

    def _only_for(self, actions: tuple[Action, ...]) -> str:
        return f"nothing for {self.action}; it is for {', '.join(actions)}"

    def spec(self, last: JobSpec | None, identify: Identify) -> JobSpec | None:
        """What to run; None: what ran last, and its jar as it was then.

        An update without a jar takes the jar that lies at the known address now.

        Raises:
            InvalidInput: No jar is given, and none is known.
            NotFound: There is no jar at the address.
        """
        if self.action not in LAUNCHING:
            return None
        if self.action not in UPDATING and not self.changes.given() and last:
            return None
        if self.changes.jar is not None:
            jar = identify(self.changes.jar)
        elif last is None:
            raise InvalidInput("jar", None, "an address: nothing is known of this job yet")
        else:
            jar = identify(last.jar.uri) if self.action in UPDATING else last.jar
        return self.changes.applied_to(last, self.job_name, jar)


def next_intent(journal: Journal, asked_by: str) -> str:
    """The intent of whoever asks again: a new one only when the last came to a bad end.

    Args:
        journal: Where intents are remembered.
        asked_by: Who asks for what, for example ``<flow run id>:UPDATE``.
    """
    for attempt in count(1):
        intent = f"{asked_by}:{attempt}"
        entry = journal.entry(intent)
        if entry is None or entry.outcome is None or entry.outcome.succeeded:
            return intent
    raise AssertionError("numbers never end")


def request_of(
    asked: AskedAction, intent: str, store: JournalStore, identify: Identify
) -> ActionRequest:
    """What is asked for, as the action wants it: the same one however often this intent asks.

    Raises:
        InvalidInput: What is asked for cannot be, or is not what this intent asked before.
        CallFailed: The jar could not be read.
    """
    filled_in = json.loads(json.dumps(asdict(asked.changes)))
    known = store.read("request", intent)
    if known is None:
        spec = asked.spec(Journal(store).job_record(asked.job_name).returnable_spec, identify)
        fresh = {"changes": filled_in, "spec": spec_document(spec) if spec else None}
        store.create("request", intent, fresh)
        known = store.read("request", intent) or fresh
    if known["changes"] != filled_in:
        raise InvalidInput("intent", intent, "one that asked for the same, or a new one")
    return ActionRequest(
        intent,
        asked.action,
        asked.job_name,
        spec=spec_of(known["spec"]) if known["spec"] else None,
        savepoint_path=asked.savepoint_path,
        job_id=asked.job_id,
        drain=asked.drain,
        take_over=asked.take_over,
    )


@contextmanager
def request_remembered(store: JournalStore, intent: str) -> Iterator[None]:
    """Forgets the request when its intent has ended, or was refused before it did anything."""
    try:
        yield
    except FlinkGlueError:
        _forget_if_over(store, intent)
        raise
    _forget_if_over(store, intent)


def _forget_if_over(store: JournalStore, intent: str) -> None:
    entry = Journal(store).entry(intent)
    if entry is None or entry.outcome is not None:
        store.delete("request", intent)


def changes_of(request: ActionRequest, record: JobRecord) -> tuple[Difference, ...]:
    """What a launch changes against what runs or ran last."""
    last = record.returnable_spec
    return last.difference(request.spec) if last and request.spec else ()
