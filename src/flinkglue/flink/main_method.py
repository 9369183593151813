"""What a job's ``main()`` did, as Flink's answer to its plan or its launch tells. Pure.

A plan leaves ``main()`` at its first ``execute()``: only a launch shows what it does after that.
"""

from __future__ import annotations

import re

from flinkglue.errors import CallFailed, Conflict

# 1.x says the first of the two, 2.x the second. 1.x says nothing of jobs of two environments.
_SECOND_OF_ONE_ENVIRONMENT = re.compile(
    r"Cannot have more than (one|1)\b.* in a single environment"
)
_SUBMITS_NOTHING = ("program plan could not be fetched", "No jobs included in application")
_THREW = "The main method caused an error"
_REFUSED_JOB = re.compile(r"Failed to execute job '(?P<name>.*)'")
NO_JOB = (
    "main() submits no job. It has to call execute() or executeAsync(), or to execute an INSERT or "
    "a StatementSet"
)


def in_words(error: CallFailed) -> str:
    """Why Flink refused a plan or a launch."""
    if any(sign in error.evidence for sign in _SUBMITS_NOTHING):
        return NO_JOB
    return error.reason


def has_run(error: CallFailed) -> bool:
    """Whether ``main()`` itself failed: it may have submitted a job before."""
    return _THREW in error.evidence


def second_job(error: CallFailed, first_name: str, *, sent_once: bool) -> str | None:
    """The jobs that ``main()`` submits, where it submits several; None where it may be one.

    Args:
        error: Flink's answer to the launch.
        first_name: The name of the job that runs under the launch's id.
        sent_once: Whether this launch was sent but once. Else a duplicate may be the first job
            itself, which was submitted before.
    """
    if _SECOND_OF_ONE_ENVIRONMENT.search(error.evidence):
        return f"'{first_name}' and another of the same environment"
    if not isinstance(error, Conflict):
        return None
    refused = _REFUSED_JOB.search(error.evidence)
    if refused and (sent_once or refused["name"] != first_name):
        return f"'{first_name}' and '{refused['name']}'"
    return f"'{first_name}' and another" if sent_once else None
