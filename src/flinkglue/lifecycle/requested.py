"""What a person asks for, checked before any call, and made whole with what ran last. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Protocol

from flinkglue import addresses
from flinkglue.errors import InvalidInput
from flinkglue.lifecycle.models import (
    LAUNCHING,
    NO_ARGS_FOR_SQL,
    RESTORE_MODES,
    Action,
    Jar,
    JobSpec,
    RestoreMode,
)
from flinkglue.lifecycle.program import PYTHON_MODULE_PATTERN, ProgramKind, kind_of
from flinkglue.lifecycle.sensitive import check_no_secrets


class Identify(Protocol):
    """Reads what lies at an address, for its hash and size."""

    def __call__(
        self, uri: str, python_module: str = "", python_files: tuple[str, ...] = ()
    ) -> Jar:
        """The jar there, or the one that the program there is packed into."""


UPDATING = (Action.UPDATE, Action.STATELESS_UPDATE, Action.LAST_STATE_UPDATE)
_FROM_SAVEPOINT = (Action.NEW, Action.START, Action.LAST_STATE_UPDATE, Action.RE_LAUNCH)
# Directories of this machine may have spaces in their names.
# Neither user and password nor a signature: addresses are written down, and shown.
JAR_PATTERN = (
    r"^(https://[^\s/@?#]+/[^\s?#]+|(s3|s3a|s3p|abfs|abfss)://\S+"
    r"|file:/[^\r\n?#]*[^\s?#]|/[^\r\n]*\S|[^\s:/]([^\r\n:]*[^\s:])?)"
    r"\.(jar|py|zip|sql)$"
)
JAR_ALLOWED = (
    "a path, https://, s3:// or abfs:// address without credentials whose last part ends in .jar; "
    "in .py or .zip for a Python program, in .sql for a SQL script"
)
MOST_PARALLELISM = 32768  # Flink's own
JOB_ID_PATTERN = r"^[0-9a-f]{32}$"


def jar_address(field: str, address: str) -> str:
    """Where a jar lies.

    Raises:
        InvalidInput: It is no address of a jar, or has credentials.
    """
    try:
        if not re.fullmatch(JAR_PATTERN, address):
            raise InvalidInput(field, address, JAR_ALLOWED)
        if address.startswith("https:"):
            addresses.http_url(field, address)
        elif "://" in address:
            addresses.storage_address(field, address)
        else:
            addresses.file_path(field, address)
    except InvalidInput as error:
        raise InvalidInput(field, address, JAR_ALLOWED) from error
    return address


def savepoint_address(field: str, address: str) -> str:
    """Where a savepoint or checkpoint lies.

    Raises:
        InvalidInput: It is no whole address, or has credentials.
    """
    try:
        return addresses.storage_address(field, address)
    except InvalidInput as error:
        allowed = f"the savepoint's whole address as LIST_SAVEPOINT shows it: {error.allowed}"
    raise InvalidInput(field, address, allowed)


def check_without_state(action: Action, savepoint: str | None, *, without_state: bool) -> None:
    """Refuse ``without_state`` where it has no meaning."""
    if without_state and action is not Action.NEW:
        allowed = f"nothing for {action}; it is for NEW, and STATELESS_UPDATE needs no such word"
        raise InvalidInput("without_state", without_state, allowed)
    if without_state and savepoint is not None:
        raise InvalidInput("without_state", without_state, "only where no savepoint is named")


PYTHON_FILES_ALLOWED = (
    "addresses like that of jar, which end in .py or .zip, with no file name twice"
)
NEEDED_FOR_A_ZIP = "the module to run, for example orders.main: jar is a .zip"


def check_python(jar: str | None, module: str | None, files: tuple[str, ...] | None) -> None:
    """Refuse what does not go with a Python program, or with another kind of program.

    Args:
        jar: The program's address; None: it is not known yet.
        module: The module that is run.
        files: The addresses of further files.

    Raises:
        InvalidInput: With the field's name.
    """
    is_python = jar is None or kind_of(jar) is ProgramKind.PYTHON
    for name, value in (("python_module", module), ("python_files", files)):
        if value is not None and not is_python:
            raise InvalidInput(name, value, "nothing: it is for a Python program")
    if module is not None and not re.fullmatch(PYTHON_MODULE_PATTERN, module):
        raise InvalidInput("python_module", module, "a module, for example orders.main")
    if jar is not None and jar.endswith(".py") and module is not None:
        raise InvalidInput("python_module", module, "nothing: jar is a .py, which is run itself")
    names = [] if jar is None else [jar.rsplit("/", 1)[-1]]
    for uri in files or ():
        if kind_of(jar_address("python_files", uri)) is not ProgramKind.PYTHON:
            raise InvalidInput("python_files", uri, PYTHON_FILES_ALLOWED)
        if (name := uri.rsplit("/", 1)[-1]) in names:
            raise InvalidInput("python_files", name, PYTHON_FILES_ALLOWED)
        names.append(name)


@dataclass(frozen=True)
class JobChanges:
    """What is to run. None: as it ran last.

    Args:
        jar: The address of the jar, the Python program or the SQL script.
        entry_class: The class with ``main()``.
        args: The arguments of ``main()``.
        parallelism: The default parallelism.
        flink_configuration: All settings of the job.
        python_module: The module of a Python program's zip that is run.
        python_files: Addresses of further .py and .zip files that a Python program imports.
        allow_non_restored_state: For this launch.
        restore_mode: For this launch.
    """

    jar: str | None = None
    entry_class: str | None = None
    args: tuple[str, ...] | None = None
    parallelism: int | None = None
    flink_configuration: Mapping[str, str] | None = None
    python_module: str | None = None
    python_files: tuple[str, ...] | None = None
    allow_non_restored_state: bool = False
    restore_mode: RestoreMode = "NO_CLAIM"

    def __post_init__(self) -> None:
        if self.jar is not None:
            jar_address("jar", self.jar)
        if self.parallelism is not None and not 1 <= self.parallelism <= MOST_PARALLELISM:
            raise InvalidInput("parallelism", self.parallelism, f"1 to {MOST_PARALLELISM}")
        if self.restore_mode not in RESTORE_MODES:
            raise InvalidInput("restore_mode", self.restore_mode, ", ".join(RESTORE_MODES))
        check_no_secrets("flink_configuration", self.flink_configuration or {})
        check_python(self.jar, self.python_module, self.python_files)
        kind = self.jar and kind_of(self.jar)
        if kind in (ProgramKind.SQL, ProgramKind.PYTHON) and self.entry_class is not None:
            raise InvalidInput("entry_class", self.entry_class, "nothing: it is for a .jar")
        if kind is ProgramKind.SQL and self.args:
            raise InvalidInput("args", self.args, NO_ARGS_FOR_SQL)

    def given(self) -> list[str]:
        """The names of the fields that were filled in."""
        return [known.name for known in fields(self) if getattr(self, known.name) != known.default]

    def applied_to(self, last: JobSpec | None, job_name: str, jar: Jar) -> JobSpec:
        """The spec that this asks for, where ``last`` is what ran last."""
        values = {name: getattr(self, name) for name in self.given() if name not in _OF_THE_JAR}
        if last is None:
            spec = JobSpec(job_name, jar)
        elif last.jar.kind is jar.kind:
            spec = replace(last, jar=jar)
        else:  # the arguments of another kind of program mean nothing to this one
            spec = replace(last, jar=jar, entry_class=None, args=())
        # How a savepoint was taken over last says nothing about the next one.
        values |= {name: getattr(self, name) for name in _OF_ONE_LAUNCH}
        return replace(spec, **values)


_NEW_NEEDS_A_JAR = (
    "the address of the jar: NEW launches what the form names. To launch again what ran last, "
    "leave the form empty for START, which goes on from the newest savepoint, or for RE_LAUNCH"
)
_OF_THE_JAR = ("jar", "python_module", "python_files")
_OF_ONE_LAUNCH = ("allow_non_restored_state", "restore_mode")


@dataclass(frozen=True)
class ActionRequest:
    """An action as a form or a command line asks for it.

    Args:
        action: The action.
        job_name: The job.
        changes: What is to run, for the actions that launch a job.
        savepoint_path: What to start from.
        job_id: The Flink job that is meant, where the name alone does not tell.
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
        asked = self.changes
        if asked.jar is None and last is None:
            raise InvalidInput("jar", None, "an address: nothing is known of this job yet")
        uri = asked.jar or (last.jar.uri if last else "")
        check_python(uri, asked.python_module, asked.python_files)
        is_as_it_was = asked.python_module is None and asked.python_files is None
        if asked.jar is None and last and is_as_it_was and self.action not in UPDATING:
            return last.jar
        if kind_of(uri) is not ProgramKind.PYTHON:
            return identify(uri)
        module, files = asked.python_module, asked.python_files
        if last and (made_of := last.jar.made_of):
            module = made_of.module if module is None else module
            files = made_of.further_uris if files is None else files
        if uri.endswith(".py"):
            module = uri.rsplit("/", 1)[-1].removesuffix(".py")
        if not module:
            raise InvalidInput("python_module", module, NEEDED_FOR_A_ZIP)
        return identify(uri, module, files or ())
