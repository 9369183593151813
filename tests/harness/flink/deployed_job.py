"""A Flink job that flow runs of the deployment flink-job-action act on, on a thread worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from flinkglue.blocks.flink import FlinkRestCluster
from tests.harness.execution import created
from tests.harness.flink.served_flink import ServedJobManager
from tests.harness.worker.thread_worker import REPOSITORY, deployed, state_name
from tests.unit.lifecycle.fake_flink_jobs import Behaviour
from tests.unit.lifecycle.fake_flink_jobs import Job as FakeJob
from tests.waiting import eventually

QUICK = {"stable_seconds": 0.1, "deadline_minutes": 2}


class DeployedJob:
    """One job of a pretended cluster.

    Args:
        deployment_id: What acts on it.
        flink: The cluster.
        folder: Where its jar lies.
    """

    def __init__(self, deployment_id: UUID, flink: ServedJobManager, folder: Path) -> None:
        self._deployment_id = deployment_id
        self._flink = flink
        self.name = f"orders {uuid4()}"
        self._block = f"flink-{uuid4().hex}"
        FlinkRestCluster(url=flink.url).save(self._block)
        self._jar = folder / f"{self._block}.jar"
        self.change_program(Behaviour.GOOD)

    def change_program(self, behaviour: Behaviour) -> None:
        """Another jar lies at the same address."""
        self._jar.write_text(behaviour)

    def request(self, action: str, **groups: Any) -> UUID:
        """Have a flow run act on it."""
        launches = action in ("NEW", "UPDATE", "STATELESS_UPDATE")
        program = {"program": {"jar": str(self._jar)}} if launches else {}
        given = {"wait_options": QUICK, **program, **groups}
        cluster = f"flink-rest-cluster/{self._block}"
        return created(
            self._deployment_id, action=action, job_name=self.name, cluster=cluster, **given
        )

    @property
    def jobs(self) -> list[FakeJob]:
        """What Flink had of it, the oldest first."""
        return [job for job in self._flink.jobs.values() if job.name == self.name]

    @property
    def states(self) -> list[str]:
        """Those of these."""
        return [job.state for job in self.jobs]


def flink_job_action(pool: str) -> UUID:
    """The deployment on this work pool."""
    return deployed(pool, "flows/flink_job_action.py:flink_job_action", REPOSITORY)


def ended(*flow_run_ids: UUID) -> list[str]:
    """How these flow runs end."""
    final = ("Completed", "Failed", "Cancelled", "Crashed")
    return [
        eventually(lambda i=i: (name := state_name(i)) in final and name)  # type: ignore[misc]
        for i in flow_run_ids
    ]
