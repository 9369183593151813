"""An action as a form or a command requests it, checked once, before any call. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Protocol

from flinkglue import addresses
from flinkglue.errors import InvalidInput
from flinkglue.lifecycle.models import LAUNCHING, Action, Jar, JobSpec
from flinkglue.lifecycle.program import ProgramKind, kind_of
from flinkglue.lifecycle.request.addresses import savepoint_address
from flinkglue.lifecycle.request.changes import JobChanges, check_python


class Identify(Protocol):
    """Reads what lies at an address, for its hash and size."""

    def __call__(
        self, uri: str, python_module: str = "", python_files: tuple[str, ...] = ()
    ) -> Jar:
        """The jar there, or the one that the program there is packed into."""


UPDATING = (Action.UPDATE, Action.STATELESS_UPDATE, Action.LAST_STATE_UPDATE)
_FROM_SAVEPOINT = (Action.NEW, Action.START, Action.LAST_STATE_UPDATE, Action.RE_LAUNCH)
JOB_ID_PATTERN = r"^[0-9a-f]{32}$"


def check_without_state(action: Action, savepoint: str | None, *, without_state: bool) -> None:
    """Refuse ``without_state`` where it has no meaning."""
    if without_state and action is not Action.NEW:
        allowed = (
            f"nothing for {action}; it is for NEW; STATELESS_UPDATE always starts without state"
        )
        raise InvalidInput("without_state", without_state, allowed)
    if without_state and savepoint is not None:
        raise InvalidInput("without_state", without_state, "only where no savepoint is named")


NEEDED_FOR_A_ZIP = "the module to run, for example orders.main: jar is a .zip"
_NEW_NEEDS_A_JAR = (
    "the address of the jar: NEW launches what the form names. To launch again what ran last, "
    "leave the form empty for START, which resumes from the newest savepoint, or for RE_LAUNCH"
)


@dataclass(frozen=True)
class ActionRequest:
    """An action as a form or a command line asks for it.

    Args:
        changes: What is to run, for the actions that launch a job.
        savepoint_path: What to start from.
        job_id: The Flink job that is meant, where the name alone is ambiguous.
        drain: Let the sources of a stopped job end first.
        take_over: Give up an unfinished intent on this job, whose process is known to be dead.
        without_state: Only for NEW: start without state although the job has some.
    """

    action: Action
    job_name: str
    changes: JobChanges = field(default_factory=JobChanges)
    savepoint_path: str | None = None
    job_id: str = ""
    drain: bool = False
    take_over: bool = False
    without_state: bool = False

    def __post_init__(self) -> None:
        addresses.name("job_name", self.job_name)
        if self.action not in LAUNCHING and (given := self.changes.given()):
            value = getattr(self.changes, given[0])
            raise InvalidInput(given[0], value, self._only_for(LAUNCHING))
        if self.savepoint_path is not None and self.action not in _FROM_SAVEPOINT:
            raise InvalidInput("savepoint", self.savepoint_path, self._only_for(_FROM_SAVEPOINT))
        if self.savepoint_path is not None:
            savepoint_address("savepoint", self.savepoint_path)
        if self.job_id and not re.fullmatch(JOB_ID_PATTERN, self.job_id):
            raise InvalidInput("job_id", self.job_id, "32 lower-case hexadecimal digits")
        if self.drain and self.action is not Action.STOP:
            raise InvalidInput("drain", self.drain, self._only_for((Action.STOP,)))
        check_without_state(self.action, self.savepoint_path, without_state=self.without_state)

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
            if self.action is Action.NEW:
                raise InvalidInput("jar", None, _NEW_NEEDS_A_JAR)
            return None
        return self.changes.applied_to(last, self.job_name, self._jar(last, identify))

    def _jar(self, last: JobSpec | None, identify: Identify) -> Jar:
        changes = self.changes
        if changes.jar is None and last is None:
            raise InvalidInput("jar", None, "an address: nothing is known of this job yet")
        uri = changes.jar or (last.jar.uri if last else "")
        check_python(uri, changes.python_module, changes.python_files)
        is_as_it_was = changes.python_module is None and changes.python_files is None
        if changes.jar is None and last and is_as_it_was and self.action not in UPDATING:
            return last.jar
        if kind_of(uri) is not ProgramKind.PYTHON:
            return identify(uri)
        module, files = changes.python_module, changes.python_files
        if last and (made_of := last.jar.made_of):
            module = made_of.module if module is None else module
            files = made_of.further_uris if files is None else files
        if uri.endswith(".py"):
            module = uri.rsplit("/", 1)[-1].removesuffix(".py")
        if not module:
            raise InvalidInput("python_module", module, NEEDED_FOR_A_ZIP)
        return identify(uri, module, files or ())
