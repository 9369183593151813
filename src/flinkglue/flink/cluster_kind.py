"""What a JobManager's own settings say of the kind of its cluster. Pure.

https://nightlies.apache.org/flink/flink-docs-stable/docs/deployment/overview/
"""

from __future__ import annotations

from collections.abc import Mapping

_TARGET = "execution.target"
# Written by whoever deploys an application to Kubernetes or YARN, for the JobManager to read.
_MAIN_CLASS = "$internal.application.main"
# Kubernetes with high availability has the first one as well, also where it starts nothing.
_ON_DEMAND = frozenset({"kubernetes.cluster-id", "yarn.application.id"})


def is_application(settings: Mapping[str, str]) -> bool:
    """Whether main() runs in the JobManager, which then leaves with its job.

    Each entry point of an application cluster sets the target to ``embedded``; no session cluster
    has it.
    """
    target = settings.get(_TARGET, "")
    return target == "embedded" or target.endswith("-application") or _MAIN_CLASS in settings


def why_it_grows(settings: Mapping[str, str]) -> str:
    """Why a cluster may come to have more task slots, or need fewer; empty: it will not.

    Only a standalone cluster starts no TaskManagers by itself:
    https://nightlies.apache.org/flink/flink-docs-stable/docs/deployment/elastic_scaling/
    """
    if settings.get("scheduler-mode", "").lower() == "reactive":
        return "its scheduler is reactive: a job runs with the slots that there are"
    if settings.get("jobmanager.scheduler", "").lower() == "adaptive":
        return "its scheduler is adaptive: a job runs with the slots that there are"
    by_itself = ("kubernetes-", "yarn-")
    if settings.get(_TARGET, "").startswith(by_itself) or _ON_DEMAND & settings.keys():
        return "it starts TaskManagers when a job needs them"
    return ""
