"""What a person wants to have run, checked before any call, over what ran last. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from flinkglue.errors import InvalidInput
from flinkglue.lifecycle.models import (
    MOST_PARALLELISM,
    NO_ARGS_FOR_SQL,
    RESTORE_MODES,
    Jar,
    JobSpec,
    RestoreMode,
)
from flinkglue.lifecycle.program import PYTHON_MODULE, ProgramKind, kind_of
from flinkglue.lifecycle.request.addresses import jar_address
from flinkglue.lifecycle.sensitive import check_no_secrets

PYTHON_FILES_ALLOWED = (
    "addresses like that of jar, which end in .py or .zip, with no file name twice"
)
_OF_THE_JAR = ("jar", "python_module", "python_files")
_OF_ONE_LAUNCH = ("allow_non_restored_state", "restore_mode")


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
    if module is not None:
        PYTHON_MODULE.require("python_module", module)
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
