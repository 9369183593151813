"""How the jar of each kind of program is planned and launched. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flinkglue.flink.jars.packing import PYTHON_MAIN
from flinkglue.lifecycle.backend import LaunchRefused
from flinkglue.lifecycle.models import JobSpec
from flinkglue.lifecycle.program import ProgramKind

PYTHON_DRIVER = "org.apache.flink.client.python.PythonDriver"
"""With this entry class Flink adds the Python jar of its distribution's ``opt`` to the job."""
_PYTHON_FILES = "python.files"
_UPLOADS = "flink-web-upload"  # Flink keeps uploads in this directory of web.upload.dir


@dataclass(frozen=True)
class ProgramRun:
    """What Flink is to run.

    Args:
        entry_class: The class with ``main()``; None: the one of the jar's manifest.
    """

    entry_class: str | None
    args: tuple[str, ...]
    flink_configuration: Mapping[str, str]


def run_of(spec: JobSpec, jar_id: str, settings: Callable[[], Mapping[str, str]]) -> ProgramRun:
    """How to run the spec's jar, which was uploaded."""
    configuration = {"pipeline.name": spec.job_name, **spec.flink_configuration}
    program = spec.jar.made_of
    if program is None or program.kind is not ProgramKind.PYTHON:
        return ProgramRun(spec.entry_class, spec.args, configuration)
    own = configuration.get(_PYTHON_FILES)
    # To Python a jar is a zip, which it imports from.
    files = ",".join(filter(None, [uploaded_path(jar_id, settings()), own]))
    args = ("-pym", PYTHON_MAIN, program.module, *spec.args)
    return ProgramRun(PYTHON_DRIVER, args, {**configuration, _PYTHON_FILES: files})


def uploaded_path(jar_id: str, settings: Mapping[str, str]) -> str:
    """Where an uploaded jar lies on the JobManager's machine.

    Raises:
        LaunchRefused: Its settings do not say.
    """
    directory = settings.get("web.upload.dir") or settings.get("web.tmpdir")
    if not directory:
        raise LaunchRefused(
            "the JobManager reports neither web.upload.dir nor web.tmpdir, so that the files of a "
            "Python program cannot be named to it: set web.upload.dir in its configuration"
        )
    return f"{directory.rstrip('/')}/{_UPLOADS}/{jar_id}"
