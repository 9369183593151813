"""How far the jobs of a watch are behind their sources: shown, and never waited for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from flinkglue.errors import FlinkGlueError
from flinkglue.lifecycle.health.finding import Finding
from flinkglue.lifecycle.models import SourceLag


def with_lags(
    findings: Sequence[Finding],
    source_lag: Callable[[str], SourceLag],
    on_unread: Callable[[str, FlinkGlueError], None],
) -> list[Finding]:
    """The findings with the lags of the jobs that are live.

    After the first one that cannot be read, no other one is: what keeps this one back keeps all
    of the cluster back, and jobs that are down wait to be relaunched.

    Args:
        source_lag: Reads the lag of a job id.
        on_unread: Called with the name of the job whose lag could not be read, and why.
    """
    found = list(findings)
    for place, finding in enumerate(found):
        if finding.view is None or finding.view.is_terminal:
            continue
        try:
            found[place] = replace(finding, lag=source_lag(finding.view.job_id))
        except FlinkGlueError as fault:
            on_unread(finding.job_name, fault)
            break
    return found
