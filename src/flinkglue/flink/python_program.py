"""Runs a Python program on the JobManager, and reports by its exit code what it did wrong. Pure.

It lies in the jar of each Python program, under the name ``flinkglue_program``, and is run there by
Flink's PythonDriver, which passes on nothing of a failure but the exit code. So it imports nothing
but Python's own library.
"""

import runpy
import sys
import traceback

SECOND_JOB = 75
"""The program submitted another job in the environment of its first."""
DUPLICATE_JOB = 76
"""The job id was taken already."""
_SIGNS = (
    ("Cannot have more than 1 ", SECOND_JOB),
    ("Cannot have more than one execute", SECOND_JOB),
    ("DuplicateJobSubmissionException", DUPLICATE_JOB),
    ("DuplicateApplicationSubmissionException", DUPLICATE_JOB),
)


def exit_code_of(failure: str) -> int:
    """The exit code for a failure with this traceback, which has Java's in it."""
    return next((code for sign, code in _SIGNS if sign in failure), 1)


def main() -> None:
    """Run the module that the first argument names, with those after it."""
    _, module, *arguments = sys.argv
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except Exception:  # noqa: BLE001 - whatever the program raises is printed, and ends the process
        failure = traceback.format_exc()
        print(failure, flush=True)
        sys.exit(exit_code_of(failure))


if __name__ == "__main__":
    main()
