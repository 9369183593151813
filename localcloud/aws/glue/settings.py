"""What can be set about the local Glue."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class GlueSettings:
    """How long things take, and how much a run needs. May change while the cloud runs.

    Args:
        run_seconds: The least time that a run is RUNNING; a longer script takes longer, and a run
            that is short of nodes takes longer in proportion.
        start_delay_seconds: The time between StartJobRun and the allocation of addresses.
        release_lag_seconds: The time between the end of a run and the return of its addresses.
        slot_lag_seconds: The time between the end of a run and the moment when it no longer counts
            against MaxConcurrentRuns (5 to 10 s in the real service).
        list_lag_seconds: The time between StartJobRun and the moment when GetJobRuns shows the run;
            GetJobRun shows it at once.
        update_seconds: How long UpdateJob works; a second update of the same job in that time is
            refused with ConcurrentModificationException.
        stop_seconds: The time between STOPPING and STOPPED.
        timeout_minute_seconds: How long one minute of a job's Timeout lasts.
        nodes_beside_workers: Nodes that a run needs beside its workers. Glue takes one or two for
            driver and management; every one holds an address.
        run_scripts: Run the job's script as a process; without it, a run only takes time.
        empty_log_pages: So many pages of GetLogEvents are empty before the first one with events.
    """

    run_seconds: float = 0.0
    start_delay_seconds: float = 0.2
    release_lag_seconds: float = 0.2
    slot_lag_seconds: float = 0.0
    list_lag_seconds: float = 0.0
    update_seconds: float = 0.05
    stop_seconds: float = 0.2
    timeout_minute_seconds: float = 60.0
    nodes_beside_workers: int = 1
    run_scripts: bool = True
    empty_log_pages: int = 0
