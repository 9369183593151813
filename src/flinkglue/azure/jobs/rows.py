"""What a row of ARM's jobs list means for the lifecycle of a job. Pure; every field may be missing.

The list gives no history: a row shows its newest action, that action's result, and the Flink job
that it stands for now. START gives a row another Flink job.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from flinkglue.azure.jobs.row_mark import RowMark
from flinkglue.azure.models import ArmFlinkJob, choose_row, plain_status
from flinkglue.lifecycle.models import JobSpec, JobView
from flinkglue.lifecycle.state_paths import is_same_path
from flinkglue.stack_trace import last_cause

# An unknown Flink setting has no effect, and the list gives the settings back: by this one a launch
# is known again after its answer was lost.
LAUNCH_KEY = "flinkglue.launch"
IN_PROGRESS = "IN_PROGRESS"
FAILED = "FAILED"

# ARM's words for ends, in Flink's. A stop with savepoint ends a Flink job as FINISHED.
_ENDS = {
    "STOPPED": "FINISHED",
    "CANCELLED": "CANCELED",
    "DELETED": "CANCELED",
    "JOB_LAUNCH_FAILED": "FAILED",
    "LAUNCH_FAILED": "FAILED",
}
_LAUNCH_FAILED = ("JOB_LAUNCH_FAILED", "LAUNCH_FAILED")
_LAUNCHING = ("NEW", "START", "STATELESS_UPDATE")  # what launches are requested with
_ON_ITS_JOB = ("STOP", "CANCEL", "SAVEPOINT", "LIST_SAVEPOINT", "DELETE")
# A directory may have spaces in its name; what Flink calls a savepoint has none.
_PATH_IN_OUTPUT = re.compile(
    r"Savepoint completed\. Path:\s*(?P<path>\S.*?/savepoint-[0-9a-f]{6}-[0-9a-f]+|\S+)"
)
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*:/[^\s\"',\[\]{}]+")
_ONE_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*:/(?:(?!:/).)+")


def state_of(row: ArmFlinkJob) -> str:
    """The job's state in Flink's words; an unknown one is kept as it is."""
    status, plain = (row.status or "").strip(), plain_status(row.status)
    return _ENDS.get(plain, plain if plain.isalpha() else status) or "UNKNOWN"


def launch_of(row: ArmFlinkJob) -> str:
    """The launch that the row's settings name; empty when they name none."""
    return row.flink_configuration.get(LAUNCH_KEY, "")


def is_in_progress(row: ArmFlinkJob) -> bool:
    """Whether the row's newest action has not ended."""
    return (row.action_result or "").upper() == IN_PROGRESS


def has_failed(row: ArmFlinkJob) -> bool:
    """Whether the row's newest action failed."""
    return (row.action_result or "").upper() == FAILED


def launch_has_failed(row: ArmFlinkJob) -> bool:
    """Whether the row's newest launch left no job; other actions may fail while it runs."""
    if row.job_id is None and (has_failed(row) or state_of(row) == FAILED):
        return True
    action = (row.action or "").upper()
    return plain_status(row.status) in _LAUNCH_FAILED or (has_failed(row) and action in _LAUNCHING)


def is_launching(row: ArmFlinkJob) -> bool:
    """Whether a launch is under way that may bring the row another Flink job."""
    on_its_job = (row.action or "").upper() in _ON_ITS_JOB and row.job_id is not None
    return is_in_progress(row) and not on_its_job


def launched_as(row: ArmFlinkJob) -> str:
    """What a launch without a Flink job id is known by: its own setting, or else its row."""
    return launch_of(row) or row.run_id or ""


def cause_of(row: ArmFlinkJob) -> str:
    """What the row says about its newest action: the last ``Caused by`` of an exception."""
    return last_cause(row.job_output) or row.status or "ARM gave no reason"


def savepoint_of(row: ArmFlinkJob) -> str | None:
    """The full path of the row's newest savepoint."""
    if row.last_save_point and "/" in row.last_save_point:
        return row.last_save_point
    completed = _PATH_IN_OUTPUT.search(row.job_output or "")
    return completed["path"] if completed else None


def listed_savepoints(row: ArmFlinkJob) -> list[str]:
    """The paths that LIST_SAVEPOINT put into the output, in its order.

    The shape of that answer is not published, so addresses are taken from whatever text it is. One
    with a space in it is distinguished from two only where it is a string of JSON.
    """
    output = row.job_output or ""
    try:
        found = [path for text in _strings(json.loads(output)) for path in _addresses(text)]
    except ValueError:
        found = _ADDRESS.findall(output)
    return list(dict.fromkeys(path.rstrip("/") for path in found))


def _strings(value: object) -> Iterator[str]:
    """All strings of a JSON value, names included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def _addresses(text: str) -> list[str]:
    return [text] if _ONE_ADDRESS.fullmatch(text) else _ADDRESS.findall(text)


def view_of(row: ArmFlinkJob, flink: JobView | None = None) -> JobView:
    """The job as ARM and, when it was queried, Flink show it."""
    exception = cause_of(row) if has_failed(row) or state_of(row) == FAILED else None
    path = savepoint_of(row)
    mark = RowMark.of(row, path, flink.savepoint_path if flink else None).text
    if flink is None:
        return JobView(
            job_id=row.job_id or launch_of(row),
            job_name=row.job_name or "",
            state=state_of(row),
            savepoint_path=path,
            exception=exception,
            tasks_known=False,
            mark=mark,
        )
    if path and not is_same_path(path, flink.savepoint_path):
        # Flink's own statistics are some seconds behind: what they show is of an older one.
        flink = replace(flink, savepoint_size_bytes=None, savepoint_at=None, savepoint_id=0)
    return replace(
        flink,
        job_name=row.job_name or flink.job_name,
        savepoint_path=path or flink.savepoint_path,
        exception=flink.exception or exception,
        mark=mark,
    )


def row_of(rows: Sequence[ArmFlinkJob], job_id: str) -> ArmFlinkJob | None:
    """The row that stands for a Flink job or for a launch, as ``launched_as`` names it."""
    if not job_id:
        return None  # rows without an id are nobody's
    by_job = [row for row in rows if row.job_id == job_id]
    by_launch = [row for row in rows if launched_as(row) == job_id]
    return next(iter([*by_job, *by_launch]), None)


def row_to_start(
    rows: Sequence[ArmFlinkJob], job_name: str, previous_job_id: str
) -> ArmFlinkJob | None:
    """The row that a launch goes on with: the previous job's, or else the one with most content."""
    return row_of(rows, previous_job_id) or choose_row(
        [row for row in rows if not row.is_ghost], job_name
    )


def save_point_name(row: ArmFlinkJob, path: str) -> str:
    """A savepoint as START names it: by name in the row's own directory, else by its full path."""
    directory = (savepoint_of(row) or "").rpartition("/")[0]
    parent, _, name = path.rstrip("/").rpartition("/")
    return name if parent and is_same_path(parent, directory) else path


def departures(row: ArmFlinkJob, spec: JobSpec) -> list[str]:
    """Where the row differs from what was requested; what it leaves out is fine."""
    compared = {
        "jarName": (row.jar_name, spec.jar.name),
        "jobJarDirectory": (row.job_jar_directory, jar_directory(spec)),
        "entryClass": (row.entry_class, spec.entry_class),
        "args": (row.args, " ".join(spec.args) or None),
    }
    found = [
        f"{name} is {observed!r}, not {requested!r}"
        for name, (observed, requested) in compared.items()
        if observed is not None and observed.rstrip("/") != (requested or "").rstrip("/")
    ]
    kept = row.flink_configuration.keys() - flink_configuration(spec).keys() - {LAUNCH_KEY}
    return found + [f"flinkConfiguration keeps {name}" for name in sorted(kept)]


def jar_directory(spec: JobSpec) -> str:
    return spec.jar.uri.rpartition("/")[0]


def flink_configuration(spec: JobSpec) -> dict[str, str]:
    """The settings as ARM takes them: parallelism and name are among them."""
    return {
        "pipeline.name": spec.job_name,
        **spec.flink_configuration,
        "parallelism": str(spec.parallelism),
    }
