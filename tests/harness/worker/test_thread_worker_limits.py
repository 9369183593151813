"""Deployments with a concurrency limit: what becomes of a slot when a worker is replaced."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.states import Pending

from tests.contract.aws.aws_cloud import eventually
from tests.harness.execution import created, read, retry
from tests.harness.worker.thread_worker import Worker, deployed, make_pool, state_name

POOL = "limited"


def limited(entrypoint: str, strategy: str) -> UUID:
    """A deployment that may have one flow run at a time."""
    deployment_id = deployed(POOL, f"waiting.py:{entrypoint}")
    options = {"collision_strategy": strategy}
    with get_client(sync_client=True) as client:
        client.request(
            "PATCH",
            "/deployments/{id}",
            path_params={"id": str(deployment_id)},
            json={"concurrency_limit": 1, "concurrency_options": options},
        )
    return deployment_id


def take_slot(flow_run_id: UUID) -> None:
    """What another worker does first."""
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(flow_run_id, Pending())


def test_a_flow_run_keeps_its_slot_when_its_worker_is_replaced(
    prefect_files: list[Path], tmp_path: Path
) -> None:
    """The next scheduled run gets none meanwhile; what has lost its own ends with its hooks."""
    make_pool(POOL)
    cancels, enqueues, loses = (
        limited(*each)
        for each in (
            ("waits", "CANCEL_NEW"),
            ("waits_enqueued", "ENQUEUE"),
            ("waits_refused", "CANCEL_NEW"),
        )
    )
    begin: Callable[[UUID, str], UUID] = lambda deployment_id, name: created(  # noqa: E731
        deployment_id, folder=str(tmp_path), name=name, every_seconds=0.2
    )

    def place(name: str) -> dict[str, Any]:
        place: dict[str, Any] = json.loads((tmp_path / f"{name}.started").read_text())
        return place

    workers = [Worker(POOL, tmp_path / "old.log", FLINKGLUE_WORKER_DRAIN_SECONDS="0.5").ready()]
    try:
        first = begin(cancels, "first")
        second, lost = begin(enqueues, "second"), begin(loses, "lost")
        eventually(lambda: len([*tmp_path.glob("*.started")]) == 3)
        assert workers[0].terminate() == 0
        assert {state_name(each) for each in (first, second, lost)} == {"Running"}
        retry(lost)  # as a worker did that knew of no slots
        take_slot(begin(loses, "other"))
        workers.append(Worker(POOL, tmp_path / "next.log").ready())
        later = [begin(cancels, "later"), begin(enqueues, "later")]
        eventually(lambda: {place(name)["pid"] for name in ("first", "second")} == {workers[1].pid})
        wanted = ["Cancelled", "AwaitingConcurrencySlot"]
        eventually(lambda: [state_name(each) for each in later] == wanted)
        eventually((tmp_path / f"{lost}.cancelled").exists)
        eventually(lambda: "hooks have run" in str(read(lost).state.message))  # type: ignore[union-attr]
        assert state_name(lost) == "Cancelled"
        (tmp_path / "go").touch()
        for each in (first, second):
            eventually(lambda each=each: state_name(each) == "Completed")
            assert read(each).run_count == 2
            assert not (tmp_path / f"{each}.cancelled").exists()
    finally:
        for worker in workers:
            worker.kill()
