"""Actions on a real Flink cluster, in this process or in one that can be killed."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx

from flinkglue.clock import Pace, SystemClock
from flinkglue.flink.backend import RestBackend
from flinkglue.flink.jars.sources import JarSource
from flinkglue.flink.state.storage import StateStorage, local_files
from flinkglue.flink.timeouts import FlinkTimeouts
from flinkglue.lifecycle.actions.perform import perform
from flinkglue.lifecycle.journal.claims import LeaseTerms
from flinkglue.lifecycle.journal.file_store import FileStore
from flinkglue.lifecycle.journal.journal import Journal
from flinkglue.lifecycle.models import Action, JobSpec, Outcome
from flinkglue.lifecycle.readiness import ReadyLimits
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.request.options import ActionOptions
from localcloud.flink.access import FlinkAccess
from tests.waiting import eventually

T = TypeVar("T")
ROOT = Path(__file__).parents[3]
JARS = ROOT / "jobs" / "flink"
ENTRY_CLASS = "flinkglue.jobs.StatefulCount"
QUICK = Pace(first_seconds=0.2, most_seconds=0.5)
OPTIONS = ActionOptions(
    ready=ReadyLimits(within_seconds=60, stable_seconds=2), pace=QUICK, lease=LeaseTerms(seconds=5)
)


@dataclass(frozen=True)
class Line:
    """A line that the sample job printed."""

    job_id: str
    total: int
    label: str
    event: str


class ClockAhead(SystemClock):
    """This machine's clock, whose time of day may be wrong."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self._seconds)


class RealJob:
    """One stateful sample job on one cluster, with a journal of its own.

    Args:
        flink: The JobManager.
        directory: The journal and the job's output lie below it.
        job_name: Its name.
        transport: The way to the JobManager; None: the network.
        outage_seconds: How long to wait for a JobManager that does not answer.
    """

    module = "tests.scenario.lifecycle.real_lifecycle"
    """The program that performs one action."""

    clock_ahead_seconds = 0.0
    """How far the wall clock of this machine is off."""

    def __init__(
        self,
        flink: FlinkAccess,
        directory: Path,
        job_name: str,
        *,
        transport: httpx.BaseTransport | None = None,
        outage_seconds: float = 60,
    ) -> None:
        # For another process: nothing secret, so no token either.
        self.place = f"{flink.url} {flink.certificates}"
        self.flink = flink
        self.directory = directory
        self.job_name = job_name
        self.output = directory / "counts.txt"
        self.journal = Journal(FileStore(directory / "journal"))
        self.ready = replace(OPTIONS.ready, stable_seconds=1)
        self.client = flink.connect(transport=transport)
        self.backend = RestBackend(
            self.client,
            JarSource(),
            storage=StateStorage({"file": local_files}),
            timeouts=FlinkTimeouts(outage_seconds, operation_seconds=60, pace=QUICK),
        )

    def through(self, transport: httpx.BaseTransport) -> RealJob:
        """The same job seen through this transport, which is waited for only briefly."""
        return RealJob(
            self.flink, self.directory, self.job_name, transport=transport, outage_seconds=3
        )

    def network(self) -> httpx.BaseTransport:
        """The way to the service without anything between."""
        return self.flink.network()

    def spec(self, jar: str = "StatefulCount.jar", label: str = "v1", *args: str) -> JobSpec:
        every = ("--output", str(self.output), "--checkpoint-every-seconds", "1")
        return JobSpec(
            self.job_name,
            JarSource().identify(str(JARS / jar)),
            ENTRY_CLASS,
            (*every, "--label", label, *args),
            parallelism=2,
        )

    def act(self, action: Action, intent: str, **request: Any) -> Outcome:
        options = replace(OPTIONS, ready=self.ready)
        spec = request.pop("spec", None)
        asked = ActionRequest(action, self.job_name, **request)
        backend, journal, clock = self.backend, self.journal, ClockAhead(self.clock_ahead_seconds)
        return perform(
            asked, backend, journal, intent=intent, spec=spec, options=options, clock=clock
        )

    def start_to_act(
        self, action: Action, intent: str, label: str, *, clock_ahead_seconds: float = 0
    ) -> subprocess.Popen[str]:
        """A process that performs it, and is about to begin."""
        command = [sys.executable, "-m", self.module, self.place, str(self.directory)]
        command += [self.job_name, action, intent, label, str(clock_ahead_seconds)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert process.stdout
        assert process.stdout.readline() == "begin\n"
        return process

    def act_and_be_killed(
        self, action: Action, intent: str, *, label: str, after_seconds: float
    ) -> bool:
        """Perform it in a process that gets SIGKILL; whether it was still at it."""
        process = self.start_to_act(action, intent, label)
        assert process.stdout
        try:
            process.wait(after_seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        process.stdout.close()
        return process.wait() == -signal.SIGKILL

    def asked_for(self, action: Action, label: str) -> dict[str, object]:
        """The jar goes with the actions that replace what runs."""
        replaces = action in (Action.NEW, Action.UPDATE, Action.STATELESS_UPDATE)
        return {"spec": self.spec(label=label)} if replaces else {}

    def job_ids(self) -> list[str]:
        """The jobs of this name that Flink remembers, live and ended."""
        return [job.job_id for job in self.client.jobs() if job.job_name == self.job_name]

    def live_job_ids(self) -> list[str]:
        return [job.job_id for job in self.backend.find(self.job_name) if not job.is_terminal]

    def lines(self, job_id: str, event: str = "") -> list[Line]:
        rows = self.output.read_text().splitlines() if self.output.exists() else []
        words = [row.split(" ") for row in rows]
        lines = [Line(word[1], int(word[2]), word[3], word[4]) for word in words]
        return [line for line in lines if line.job_id == job_id and event in ("", line.event)]

    def total(self, job_id: str, event: str) -> int:
        """The total that the job printed with its newest such event."""
        return eventually(lambda: self.lines(job_id, event))[-1].total

    def end(self) -> None:
        for job_id in self.live_job_ids():
            self.backend.cancel(job_id)
        self.close()

    def close(self) -> None:
        self.client.close()


def main(open_job: Callable[[str, Path, str], RealJob]) -> None:
    """Perform one action and say when it begins."""
    parser = argparse.ArgumentParser()
    for name in ("place", "directory", "job_name", "action", "intent", "label"):
        parser.add_argument(name)
    parser.add_argument("clock_ahead_seconds", type=float)
    asked = parser.parse_args()
    job = open_job(asked.place, Path(asked.directory), asked.job_name)
    job.clock_ahead_seconds = asked.clock_ahead_seconds
    action = Action(asked.action)
    print("begin", flush=True)
    job.act(action, asked.intent, **job.asked_for(action, asked.label))


def open_job(place: str, directory: Path, job_name: str) -> RealJob:
    """The job on the JobManager whose certificates lie on this machine."""
    url, certificates = place.split(" ", 1)
    return RealJob(FlinkAccess(url, certificates=Path(certificates)), directory, job_name)


if __name__ == "__main__":
    main(open_job)
