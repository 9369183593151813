"""From submit to all tasks running: bare REST calls, the library, and the whole flow."""

from __future__ import annotations

import statistics
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx

from flinkglue.flink.backend import RestBackend
from flinkglue.flink.jars.sources import JarSource
from flinkglue.lifecycle.actions.perform import perform
from flinkglue.lifecycle.journal.file_store import FileStore
from flinkglue.lifecycle.journal.journal import Journal
from flinkglue.lifecycle.models import Action, JobSpec
from flinkglue.lifecycle.readiness import ReadyLimits
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.request.options import ActionOptions
from localcloud.flink.access import FlinkAccess

JAR = Path(__file__).resolve().parent.parent / "jobs" / "flink" / "StatefulCount.jar"
ENTRY_CLASS = "flinkglue.jobs.StatefulCount"
ARGS = ("--checkpoint-every-seconds", "1")
LOOK_EVERY_SECONDS = 0.02
RUNNING_WITHIN_SECONDS = 120
# As soon as all tasks run: what the flow waits for beyond that, bare calls do not wait for either.
AT_ONCE = ActionOptions(ready=ReadyLimits(stable_seconds=0, await_checkpoint=False))


@dataclass(frozen=True)
class Submit:
    """One launch; both times are seconds from the call.

    `running` is when all tasks ran, seen by somebody who looks fifty times a second; `returned` is
    when the caller knew.
    """

    kind: str
    running: float
    returned: float


class Submitter:
    """Launches the sample job in three ways, each under a name of its own."""

    def __init__(self, flink: FlinkAccess, directory: Path) -> None:
        self._flink = flink
        self._directory = directory
        self._open = ExitStack()
        self.bare = self._open.enter_context(flink.http())
        self._journal = Journal(FileStore(directory / "journal"))
        self._client = self._open.enter_context(flink.connect())
        self._backend = RestBackend(self._client, JarSource())

    def __enter__(self) -> Self:
        from prefect.testing.utilities import prefect_test_harness

        from flinkglue.blocks.flink import FlinkRestCluster, FlinkSignIn

        self._open.enter_context(prefect_test_harness(server_startup_timeout=120))
        FlinkRestCluster(
            url=self._flink.url, sign_in=FlinkSignIn.BEARER, token=self._flink.token
        ).save("flink")
        return self

    def __exit__(self, *exception: object) -> None:
        self._open.close()

    def by_bare_calls(self, name: str) -> None:
        """Upload, run, look until all tasks run."""
        with JAR.open("rb") as file:
            sent = self.bare.post("/jars/upload", files={"jarfile": (JAR.name, file)})
        jar_id = Path(sent.raise_for_status().json()["filename"]).name
        body = {
            "entryClass": ENTRY_CLASS,
            "programArgsList": list(ARGS),
            "parallelism": 2,
            "flinkConfiguration": {"pipeline.name": name},
        }
        self.bare.post(f"/jars/{jar_id}/run", json=body).raise_for_status()
        self.wait_until_running(name)

    def by_library(self, name: str) -> None:
        """NEW over the REST backend, with a journal in files."""
        spec = JobSpec(name, JarSource().identify(str(JAR)), ENTRY_CLASS, ARGS, parallelism=2)
        perform(
            ActionRequest(Action.NEW, name),
            self._backend,
            self._journal,
            intent=name,
            spec=spec,
            options=AT_ONCE,
        ).raise_for_failure()

    def by_flow(self, name: str) -> None:
        """The flow of deployment flink-job-action, in this process."""
        from flows.flink_job_action import flink_job_action

        flink_job_action(
            Action.NEW,
            name,
            jar=str(JAR),
            entry_class=ENTRY_CLASS,
            args=list(ARGS),
            parallelism=2,
            stable_seconds=0.1,
        )

    def wait_until_running(self, name: str) -> None:
        """Look until all tasks of the job of this name run."""
        give_up_at = time.monotonic() + RUNNING_WITHIN_SECONDS
        with self._flink.http() as client:
            while not _all_run(client, name):
                if time.monotonic() > give_up_at:
                    raise TimeoutError(f"{name} does not run")
                time.sleep(LOOK_EVERY_SECONDS)

    def cancel(self, name: str) -> None:
        """End it, so that its slots are free."""
        for job in _jobs(self.bare, name):
            self.bare.patch(f"/jobs/{job['jid']}?mode=cancel").raise_for_status()
        while any(job["state"] != "CANCELED" for job in _jobs(self.bare, name)):
            time.sleep(0.1)


def _jobs(client: httpx.Client, name: str) -> list[dict[str, object]]:
    jobs = client.get("/jobs/overview").raise_for_status().json()["jobs"]
    return [job for job in jobs if job["name"] == name]


def _all_run(client: httpx.Client, name: str) -> bool:
    return any(
        job["state"] == "RUNNING" and job["tasks"]["running"] == job["tasks"]["total"] > 0  # type: ignore[index]
        for job in _jobs(client, name)
    )


def measure_submits(submitter: Submitter, repeat: int) -> list[Submit]:
    """In turn, so that drift hits all alike; the first of each kind warms up."""
    kinds: dict[str, Callable[[str], None]] = {
        "bare REST calls": submitter.by_bare_calls,
        "library": submitter.by_library,
        "flow": submitter.by_flow,
    }
    rounds = [
        [measured(submitter, kind, launch) for kind, launch in kinds.items()]
        for _ in range(repeat + 1)
    ]
    return [submit for one in rounds[1:] for submit in one]


def measured(submitter: Submitter, kind: str, launch: Callable[[str], None]) -> Submit:
    """One launch, watched from outside."""
    name = f"{kind.replace(' ', '-')}-{uuid.uuid4().hex[:8]}"
    began = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        seen = pool.submit(_seconds, began, lambda: submitter.wait_until_running(name))
        returned = _seconds(began, lambda: launch(name))
        running = seen.result()
    submitter.cancel(name)
    return Submit(kind, running, returned)


def _seconds(began: float, act: Callable[[], None]) -> float:
    act()
    return time.monotonic() - began


def submit_rows(submits: Sequence[Submit]) -> list[str]:
    """A markdown table, with ratios to the bare calls of the same round."""
    kinds = list(dict.fromkeys(submit.kind for submit in submits))
    by_kind = {kind: [s for s in submits if s.kind == kind] for kind in kinds}
    bare = by_kind[kinds[0]]
    rows = [
        "| launched by | all tasks run: median | fastest | slowest | ratio to bare calls "
        "| caller knows: median |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for kind, measured_ones in by_kind.items():
        running = [s.running for s in measured_ones]
        ratio = statistics.median(a / b.running for a, b in zip(running, bare, strict=True))
        rows.append(
            f"| {kind} | {statistics.median(running):.2f} s | {min(running):.2f} s "
            f"| {max(running):.2f} s | {ratio:.2f} "
            f"| {statistics.median(s.returned for s in measured_ones):.2f} s |"
        )
    return rows
