"""The web address of the session cluster: its Flink, whose programs see the pods' file system."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from localcloud.azure.arm.jobs.flink_jobs import pod_words
from localcloud.flink.door import FlinkDoor, OtherSignIn, Visitors
from localcloud.web.proxy import passing_on
from localcloud.web.wire import AsgiApp

_RUNS_MAIN = re.compile(r".*/jars/[^/]+/(plan|run)")


def cluster_web(
    flink_url: Callable[[], str],
    visitors: Visitors,
    image_root: Path,
    is_cluster_user: OtherSignIn,
) -> AsgiApp:
    """An application that passes everything to Flink, for those who are known to either.

    A program that Flink runs for a plan or a job finds the files of the cluster's image where the
    jobs of ``runJob`` find them.

    Args:
        flink_url: The session cluster's address.
        visitors: Of that address.
        is_cluster_user: Whether a token of Entra ID is that of a user of the cluster.
        image_root: The directory that stands for the file system of the cluster's pods.
    """

    def in_the_pods(path: str, body: bytes) -> bytes:
        if not _RUNS_MAIN.fullmatch(path):
            return body
        try:
            asked = json.loads(body)
            asked["programArgsList"] = pod_words(asked["programArgsList"], image_root)
        except (ValueError, LookupError, TypeError, AttributeError):
            return body  # what it is, Flink says
        return json.dumps(asked).encode()

    passed = passing_on(flink_url, "flink", in_the_pods, token=visitors.token)
    return FlinkDoor(passed, visitors, is_cluster_user)
