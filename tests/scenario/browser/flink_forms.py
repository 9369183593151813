"""The deployments that act on the jobs of any Flink cluster, as they are filled in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.scenario.browser.filled_in import FilledIn, Question, Refusal
from tests.scenario.browser.prefect_ui import RunForm
from tests.scenario.lifecycle.real_lifecycle import ENTRY_CLASS, JARS

_CLUSTER = ("cluster", "FlinkRestCluster", "flink")
_AT_LEAST_1 = ("0 is less than the minimum of 1", "greater than or equal to 1")


class FlinkForms:
    """Each deployment for the jobs of a Flink REST Cluster.

    Args:
        job_name: The job that they act on.
        directory: Where the job writes.
    """

    def __init__(self, job_name: str, directory: Path) -> None:
        self.job_name = job_name
        self._output = directory / "counts.txt"

    def all(self) -> Iterator[FilledIn]:
        """In the order in which a person runs them."""
        job = self.job_name
        yield self.new()
        yield FilledIn(
            "flink-savepoints",
            Refusal("keep", 0, 3, *_AT_LEAST_1),
            self._savepoints,
            f"savepoints of {job} on flink",
            "1 new savepoint, 0 disposed of",
            (f"SAVEPOINT {job} on flink", f"dispose of savepoints of {job}"),
            {"flink-savepoint-report": job},
            picker=_CLUSTER,
            after=("flink-job-action",),
        )
        yield FilledIn(
            "flink-watch",
            Refusal(
                "watch_seconds",
                3601,
                3,
                "3601 is greater than the maximum of 3600",
                "less than or equal to 3600",
            ),
            self._watch,
            f"health of {job} on flink",
            f"{job}: healthy",
            (),
            {"flink-health": job},
            picker=_CLUSTER,
            row=("flink-jobs", job, "healthy"),
            after=("flink-job-action", "flink-savepoints"),
        )
        yield FilledIn(
            "flink-job-action",
            Refusal(
                "deadline_minutes",
                600000,
                5,
                "600000 is greater than the maximum of 527040",
                "less than or equal to 527040",
            ),
            self._without_state,
            f"STATELESS_UPDATE {job} on flink",
            f"STATELESS_UPDATE of {job} done: RUNNING as",
            (f"STATELESS_UPDATE {job} on flink",),
            {f"flink-action-{job}-": "done"},
            picker=_CLUSTER,
            question=Question("drops state.", lambda form: form.switch("Drop State")),
            row=("flink-jobs", job, "STATELESS_UPDATE done"),
            after=("flink-savepoints", "flink-watch"),
            key="without-state",
        )

    def new(self) -> FilledIn:
        """The start of the job."""
        job = self.job_name
        return FilledIn(
            "flink-job-action",
            Refusal("parallelism", 0, 1, *_AT_LEAST_1),
            self._new,
            f"NEW {job} on flink",
            f"NEW of {job} done: RUNNING as",
            (f"start {job}", f"verify {job}"),
            {f"flink-action-{job}-": "RUNNING"},
            picker=_CLUSTER,
            row=("flink-jobs", job, "RUNNING"),
        )

    def _new(self, form: RunForm) -> None:
        form.choose("action", "NEW")
        form.fill("job_name", self.job_name)
        form.fill("jar", JARS / "StatefulCount.jar")
        form.fill("entry_class", ENTRY_CLASS)
        form.add("args", "--output", str(self._output), "--checkpoint-every-seconds", "1")
        form.write("flink_configuration", {"pipeline.object-reuse": "true"})
        form.fill("stable_seconds", 1)

    def _savepoints(self, form: RunForm) -> None:
        form.add("job_names", self.job_name)
        form.choose("savepoint_format", "canonical")

    def _watch(self, form: RunForm) -> None:
        form.add("job_names", self.job_name)
        form.choose("relaunch", "when_down")
        form.fill("every_seconds", 1)

    def _without_state(self, form: RunForm) -> None:
        form.choose("action", "STATELESS_UPDATE")
        form.fill("job_name", self.job_name)
        form.fill("stable_seconds", 1)
        form.fill("ask_within_minutes", 10)
