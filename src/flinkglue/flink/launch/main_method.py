"""What a job's ``main()`` did, as Flink's answer to its plan or its launch shows. Pure.

A plan leaves ``main()`` at its first ``execute()``: only a launch shows what it does after that.
"""

from __future__ import annotations

import re

from flinkglue.errors import CallFailed, Conflict
from flinkglue.flink.python_program import DUPLICATE_JOB, SECOND_JOB

# 1.x says the first of the two, 2.x the second. 1.x says nothing of jobs of two environments.
_SECOND_OF_ONE_ENVIRONMENT = re.compile(
    r"Cannot have more than (one|1)\b.* in a single environment"
)
_SUBMITS_NOTHING = ("program plan could not be fetched", "No jobs included in application")
_THREW = "The main method caused an error"
_REFUSED_JOB = re.compile(r"Failed to execute job '(?P<name>.*)'")
_PYTHON_ENDED = re.compile(r"Python process exits with code: (?P<code>\d+)")
_PRINTED = re.compile(r"System\.out: (?P<text>.*?)\n\s*System\.err:", re.DOTALL)
NO_JOB = (
    "main() submits no job. It must call execute() or executeAsync(), or execute an INSERT or "
    "a StatementSet"
)


def in_words(error: CallFailed) -> str:
    """Why Flink refused a plan or a launch."""
    if any(sign in error.evidence for sign in _SUBMITS_NOTHING):
        return NO_JOB
    if _python_code(error) is None:
        return error.reason
    # Flink keeps what the program printed only for a plan.
    printed = _PRINTED.search(error.evidence)
    lines = [line.strip() for line in printed["text"].splitlines()] if printed else []
    printed_lines = [line for line in lines if line]
    if printed_lines:
        return f"the Python program failed: {printed_lines[-1]}"
    return "the Python program failed; the JobManager's log has its traceback"


def has_run(error: CallFailed) -> bool:
    """Whether ``main()`` itself failed: it may have submitted a job before."""
    return _THREW in error.evidence or _python_code(error) is not None


def is_duplicate(error: CallFailed) -> bool:
    """Whether the launch's job id was taken already, by whatever job."""
    return isinstance(error, Conflict) or _python_code(error) == DUPLICATE_JOB


def _python_code(error: CallFailed) -> int | None:
    ended = _PYTHON_ENDED.search(error.evidence)
    return int(ended["code"]) if ended else None


def second_job(error: CallFailed, first_name: str, *, sent_once: bool) -> str | None:
    """The jobs that ``main()`` submits, where it submits several; None where it may be one.

    Args:
        error: Flink's answer to the launch.
        first_name: The name of the job that runs under the launch's id.
        sent_once: Whether this launch was sent but once. Else a duplicate may be the first job
            itself, which was submitted before.
    """
    is_second = _SECOND_OF_ONE_ENVIRONMENT.search(error.evidence)
    if is_second or _python_code(error) == SECOND_JOB:
        return f"'{first_name}' and another of the same environment"
    if not is_duplicate(error):
        return None
    refused = _REFUSED_JOB.search(error.evidence)
    if refused and (sent_once or refused["name"] != first_name):
        return f"'{first_name}' and '{refused['name']}'"
    return f"'{first_name}' and another" if sent_once else None
