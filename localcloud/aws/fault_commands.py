"""Faults of the AWS part: full subnets, zones that are down, runs that fail, slow Glue."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from localcloud.aws.glue.definitions.jobs import Jobs
from localcloud.aws.glue.runs.run_engine import PlannedFailure, RunEngine
from localcloud.aws.glue.runs.runs import Runs
from localcloud.aws.glue.settings import GlueSettings
from localcloud.aws.network import Network
from localcloud.aws.service_clock import ServiceClock

_FAILED_STATES = ("FAILED", "ERROR", "TIMEOUT", "EXPIRED", "STOPPED")


@dataclass(frozen=True)
class FaultTargets:
    """What faults work on: zones and subnets, jobs, their runs and where to look, the time."""

    network: Network
    engine: RunEngine
    runs: Runs
    jobs: Jobs
    clock: ServiceClock


class AwsFaultCommands:
    """What ``python -m localcloud fault aws …`` can do.

    Args:
        targets: Gives the targets of a started part; the commands are known before.
        settings: Glue's settings, changed in place.
    """

    def __init__(self, targets: Callable[[], FaultTargets], settings: GlueSettings) -> None:
        self._targets = targets
        self._settings = settings
        self._initial_settings = replace(settings)

    def commands(self) -> Mapping[str, Callable[..., Any]]:
        """Name to function."""
        return {
            "fill-subnet": self.fill_subnet,
            "drain-subnet": self.drain_subnet,
            "zone-down": self.zone_down,
            "zone-up": self.zone_up,
            "fail-next-runs": self.fail_next_runs,
            "glue-timing": self.glue_timing,
            "glue-nodes": self.glue_nodes,
            "glue-scripts": self.glue_scripts,
            "glue-runs": self.glue_runs,
            "empty-log-pages": self.empty_log_pages,
            "glue-job-members": self.glue_job_members,
            "clock-ahead": self.clock_ahead,
        }

    def fill_subnet(self, subnet_id: str, leave: int = 0) -> dict[str, int]:
        """Take the addresses of a subnet until only ``leave`` are free."""
        _check_not_negative("leave", leave)
        return {"available_ip_address_count": self._targets().network.fill(subnet_id, leave)}

    def drain_subnet(self, subnet_id: str) -> dict[str, int]:
        """Give back what fill-subnet took."""
        return {"available_ip_address_count": self._targets().network.drain(subnet_id)}

    def zone_down(self, availability_zone: str) -> dict[str, str]:
        """Take a zone down; live runs in it fail."""
        self._targets().network.take_zone_down(availability_zone)
        self._targets().engine.fail_runs_in(availability_zone)
        return {"availability_zone": availability_zone, "state": "unavailable"}

    def zone_up(self, availability_zone: str) -> dict[str, str]:
        """Bring a zone up again."""
        self._targets().network.bring_zone_up(availability_zone)
        return {"availability_zone": availability_zone, "state": "available"}

    def fail_next_runs(
        self,
        job_name: str,
        error_message: str,
        times: int = 1,
        state: str = "FAILED",
        after_seconds: float = 0.0,
    ) -> dict[str, Any]:
        """Let the next runs of a job end in a state with a text.

        Args:
            job_name: The job; ``*`` and ``?`` match as in a shell.
            error_message: The run's ErrorMessage.
            times: How many runs.
            state: A final state other than SUCCEEDED.
            after_seconds: How long the run is RUNNING first; with 0 it fails while it starts.
        """
        if state not in _FAILED_STATES:
            allowed = ", ".join(_FAILED_STATES)
            raise ValueError(f"state: {state!r} is not accepted. Allowed: {allowed}")
        if times < 1:
            raise ValueError(f"times: {times!r} is not accepted. Allowed: 1 or more")
        _check_not_negative("after_seconds", after_seconds)
        failure = PlannedFailure(job_name, times, error_message, state, after_seconds)
        self._targets().engine.plan_failure(failure)
        return asdict(failure)

    def glue_timing(self, **seconds: float) -> dict[str, float]:
        """Change how long things take; see :class:`GlueSettings` for the names."""
        names = [each.name for each in fields(GlueSettings) if each.name.endswith("_seconds")]
        for name, value in seconds.items():
            if name not in names:
                raise ValueError(f"{name} is not accepted. Allowed: {', '.join(names)}")
            _check_not_negative(name, value)
            setattr(self._settings, name, float(value))
        return {name: getattr(self._settings, name) for name in names}

    def glue_nodes(self, nodes_beside_workers: int) -> dict[str, int]:
        """How many nodes a run takes beside its workers; the real service takes one or two."""
        _check_not_negative("nodes_beside_workers", nodes_beside_workers)
        self._settings.nodes_beside_workers = nodes_beside_workers
        return {"nodes_beside_workers": nodes_beside_workers}

    def glue_scripts(self, run: bool) -> dict[str, bool]:
        """Run the scripts of jobs, or let runs only take time (for hundreds of them at once)."""
        self._settings.run_scripts = run
        return {"run": run}

    def glue_runs(self, job_name: str | None = None) -> list[dict[str, Any]]:
        """Where runs went: connection, subnet, nodes wanted and had."""
        return self._targets().runs.placements(job_name)

    def empty_log_pages(self, pages: int) -> dict[str, int]:
        """Let GetLogEvents answer with so many empty pages before it shows what there is."""
        _check_not_negative("pages", pages)
        self._settings.empty_log_pages = pages
        return {"pages": pages}

    def glue_job_members(self, job_name: str, members: str) -> dict[str, Any]:
        """Give a job members that botocore does not know, as a newer service has them.

        Args:
            job_name: The job.
            members: A JSON object; what it names is set, at the definition's top level.
        """
        given = json.loads(members)
        if not isinstance(given, dict):
            raise ValueError(f"members: {members!r} is not accepted. Allowed: a JSON object")
        self._targets().jobs.set_members(job_name, given)
        return given

    def clock_ahead(self, seconds: float) -> dict[str, float]:
        """Let signatures be judged by a clock that is ahead of this machine's; below 0: behind."""
        self._targets().clock.go_ahead(seconds)
        return {"seconds": seconds}

    def reset(self) -> None:
        """Undo all of it, and stop the runs that are live."""
        self._targets().engine.forget_failures()
        self._targets().engine.end_all()
        self._targets().network.heal()
        self._targets().clock.go_ahead(0)
        for each in fields(GlueSettings):
            setattr(self._settings, each.name, getattr(self._initial_settings, each.name))


def _check_not_negative(name: str, value: float) -> None:
    if value < 0:
        raise ValueError(f"{name}: {value!r} is not accepted. Allowed: 0 or more")
