"""What a JobManager's own settings tell of the kind of its cluster. Pure.

https://nightlies.apache.org/flink/flink-docs-stable/docs/deployment/overview/
"""

from __future__ import annotations

from collections.abc import Mapping

_TARGET = "execution.target"
# Written by whoever deploys an application to Kubernetes or YARN, for the JobManager to read.
_MAIN_CLASS = "$internal.application.main"


def is_application(settings: Mapping[str, str]) -> bool:
    """Whether main() runs in the JobManager, which then leaves with its job.

    Each entry point of an application cluster sets the target to ``embedded``; no session cluster
    has it.
    """
    target = settings.get(_TARGET, "")
    return target == "embedded" or target.endswith("-application") or _MAIN_CLASS in settings
