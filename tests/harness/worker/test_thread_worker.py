"""Flow runs as threads of one worker: what a process of their own gave them, they keep."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.states import Scheduled

from tests.contract.aws.aws_cloud import eventually
from tests.harness.execution import cancel, created, read, resume, suspend
from tests.harness.worker.thread_worker import (
    FLOWS,
    Worker,
    deployed,
    limit,
    logged,
    make_pool,
    pause,
    state_name,
    worker_of,
)

POOL = "threads"
AT_ONCE = int(os.environ.get("THREAD_RUNS", "10"))


@pytest.fixture(scope="module")
def worker(prefect_files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    with worker_of(POOL, tmp_path_factory.mktemp("worker")) as running:
        yield running


def started(folder: Path, name: str) -> dict[str, Any]:
    """Where a flow run says that it runs."""
    file = folder / f"{name}.started"
    eventually(lambda: file.exists() and file.read_text())
    place: dict[str, Any] = json.loads(file.read_text())
    return place


def test_flow_runs_are_threads_of_the_worker_and_keep_their_logs_apart(
    worker: Worker, tmp_path: Path
) -> None:
    waits = deployed(POOL, "waiting.py:waits")
    names = [f"run-{n:03d}" for n in range(AT_ONCE)]
    pause(POOL, is_paused=True)
    flow_runs = {name: created(waits, folder=str(tmp_path), name=name) for name in names}
    assert not [*tmp_path.glob("*.started")], "a paused pool starts nothing"
    pause(POOL, is_paused=False)
    began_at = time.monotonic()
    places = [started(tmp_path, name) for name in names]
    print(f"{AT_ONCE} flow runs started in {time.monotonic() - began_at:.2f} s")
    assert {place["pid"] for place in places} == {worker.pid}
    assert {place["directory"] for place in places} == {str(FLOWS)}
    assert len({place["thread"] for place in places}) == AT_ONCE
    (tmp_path / "go").touch()
    for flow_run_id in flow_runs.values():
        eventually(lambda flow_run_id=flow_run_id: state_name(flow_run_id) == "Completed")
    for name, flow_run_id in flow_runs.items():
        eventually(lambda i=flow_run_id, n=name: f"printed again by {n}." in logged(i))
        log = logged(flow_run_id)
        assert f"printed by {name}." in log
        assert f"logged by {name}." in log
        assert not [other for other in names if other != name and f"by {other}." in log]


def test_a_cancelled_flow_run_ends_in_the_middle_of_a_wait_and_no_other_does(
    worker: Worker, tmp_path: Path
) -> None:
    waits = deployed(POOL, "waiting.py:waits")
    cancelled, other = (
        created(waits, folder=str(tmp_path), name=name, every_seconds=3600)
        for name in ("cancelled", "other")
    )
    started(tmp_path, "cancelled")
    started(tmp_path, "other")
    began_at = time.monotonic()
    cancel(cancelled)
    eventually(lambda: state_name(cancelled) == "Cancelled")
    print(f"cancelled after {time.monotonic() - began_at:.1f} s, in a wait of an hour")
    assert "did not notice" not in str(read(cancelled).state.message)  # type: ignore[union-attr]
    assert (tmp_path / f"{cancelled}.cancelled").exists()
    assert state_name(other) == "Running"
    cancel(other)
    eventually(lambda: state_name(other) == "Cancelled")


def test_a_flow_run_that_hangs_is_cancelled_without_its_thread(
    worker: Worker, tmp_path: Path
) -> None:
    """Its hooks run, and its thread does nothing more when its call returns."""
    hangs = deployed(POOL, "waiting.py:hangs", cancel_grace_seconds=0.5)
    hanging = created(hangs, folder=str(tmp_path), seconds=7.0)
    eventually((tmp_path / "hanging").exists)
    cancel(hanging)
    eventually(lambda: state_name(hanging) == "Cancelled")
    assert (tmp_path / f"{hanging}.cancelled").exists()
    assert "did not notice" in str(read(hanging).state.message)  # type: ignore[union-attr]
    eventually(lambda: f"The thread of flow run {hanging} has ended" in worker.log.read_text())
    assert not (tmp_path / "went-on").exists()
    assert state_name(hanging) == "Cancelled"


def test_a_flow_that_never_waits_by_the_clock_is_cancelled_between_two_steps(
    worker: Worker, tmp_path: Path
) -> None:
    looping = created(deployed(POOL, "waiting.py:loops"), folder=str(tmp_path))
    eventually((tmp_path / "looping").exists)
    cancel(looping)
    eventually(lambda: state_name(looping) == "Cancelled")
    assert (tmp_path / f"{looping}.cancelled").exists()
    assert "did not notice" not in str(read(looping).state.message)  # type: ignore[union-attr]
    (tmp_path / "looping").unlink()
    time.sleep(0.3)
    assert not (tmp_path / "looping").exists()


def test_a_flow_run_that_exits_crashes_alone(worker: Worker, tmp_path: Path) -> None:
    exiting = created(deployed(POOL, "waiting.py:exits"))
    eventually(lambda: state_name(exiting) == "Crashed")
    (tmp_path / "go").touch()
    after = created(deployed(POOL, "waiting.py:waits"), folder=str(tmp_path), name="after")
    assert started(tmp_path, "after")["pid"] == worker.pid
    eventually(lambda: state_name(after) == "Completed")


def test_a_suspended_flow_run_holds_no_thread_and_goes_on_when_it_is_resumed(
    worker: Worker, tmp_path: Path
) -> None:
    suspended = created(deployed(POOL, "waiting.py:suspends"), folder=str(tmp_path))
    eventually(lambda: state_name(suspended) == "Suspended")
    [thread] = (tmp_path / "suspending").read_text().split()
    eventually(lambda: not Path(f"/proc/{worker.pid}/task/{thread}").exists())
    with get_client(sync_client=True) as client:
        client.resume_flow_run(suspended)
    eventually(lambda: state_name(suspended) == "Completed")
    assert (tmp_path / "resumed").exists()
    assert len((tmp_path / "suspending").read_text().split()) == 2


def test_a_flow_run_that_is_suspended_in_a_long_wait_holds_no_thread(
    worker: Worker, tmp_path: Path
) -> None:
    waits = deployed(POOL, "waiting.py:waits")
    suspended = created(waits, folder=str(tmp_path), name="suspended", every_seconds=3600)
    thread = Path(f"/proc/{worker.pid}/task/{started(tmp_path, 'suspended')['thread_id']}")
    eventually(lambda: state_name(suspended) == "Running")
    suspend(suspended)
    eventually(lambda: not thread.exists())
    assert state_name(suspended) == "Suspended"
    assert not (tmp_path / f"{suspended}.cancelled").exists()
    (tmp_path / "go").touch()
    resume(suspended)
    eventually(lambda: state_name(suspended) == "Completed")


def test_the_limit_of_the_pool_and_the_scheduled_time_count(worker: Worker, tmp_path: Path) -> None:
    """The server decides what may run; the end of one run lets the next begin."""
    waits = deployed(POOL, "waiting.py:waits")
    limit(POOL, 1)
    first, second = (
        created(waits, folder=str(tmp_path), name=name, until=f"go-{name}")
        for name in ("first", "second")
    )
    eventually(lambda: [*tmp_path.glob("*.started")])
    time.sleep(1)
    [began] = tmp_path.glob("*.started")
    earlier, later = (first, second) if began.stem == "first" else (second, first)
    assert state_name(later) in ("Scheduled", "Late")
    for name in ("first", "second"):
        (tmp_path / f"go-{name}").touch()
    eventually(lambda: state_name(later) == "Completed")
    assert read(later).start_time >= read(earlier).end_time  # type: ignore[operator]
    limit(POOL, None)

    (tmp_path / "go").touch()
    at = datetime.now(UTC) + timedelta(seconds=5)
    with get_client(sync_client=True) as client:
        planned = client.create_flow_run_from_deployment(
            waits,
            parameters={"folder": str(tmp_path), "name": "planned"},
            state=Scheduled(scheduled_time=at),
        ).id
    eventually(lambda: state_name(planned) == "Completed")
    # The server rounds the wait to seconds, and the state is dated before it is sent.
    assert read(planned).start_time >= at - timedelta(seconds=1.5)  # type: ignore[operator]


def test_changed_code_is_loaded_again(worker: Worker, tmp_path: Path) -> None:
    """Also a module that the flow's file imports, and within the same second."""
    (tmp_path / "go").touch()
    code = tmp_path / "code"
    code.mkdir()
    (code / "greeting.py").write_text("WORD = 'one'\n")
    (code / "greeter.py").write_text(
        "from pathlib import Path\nfrom prefect import flow\nfrom greeting import WORD\n"
        "@flow\ndef greets(file: str):\n    Path(file).write_text(WORD)\n"
    )
    greets = deployed(POOL, "greeter.py:greets", code)
    for word in ("one", "two", "six"):
        (code / "greeting.py").write_text(f"WORD = '{word}'\n")
        file = tmp_path / word
        greeted = created(greets, file=str(file))
        eventually(lambda greeted=greeted: state_name(greeted) == "Completed")
        assert file.read_text() == word


def test_a_flow_run_may_ask_for_a_process_which_counts_towards_the_limit_of_its_worker(
    prefect_files: list[Path], tmp_path: Path
) -> None:
    """Until it has ended; the next flow run begins then. A worker that stops ends it, too."""
    make_pool("narrow")
    drain = {"FLINKGLUE_WORKER_DRAIN_SECONDS": "0.5"}
    narrow = Worker("narrow", tmp_path / "narrow.log", limit=1, **drain).ready()
    try:
        waits = deployed("narrow", "waiting.py:waits")
        in_process = {"isolation": "process"}
        first = created(waits, in_process, folder=str(tmp_path), name="first", until="go-first")
        assert started(tmp_path, "first")["pid"] != narrow.pid
        second = created(waits, folder=str(tmp_path), name="second", until="go-first")
        time.sleep(2)
        assert state_name(second) in ("Scheduled", "Late")
        (tmp_path / "go-first").touch()
        assert started(tmp_path, "second")["pid"] == narrow.pid
        eventually(lambda: state_name(second) == "Completed")
        assert read(second).start_time >= read(first).end_time  # type: ignore[operator]
        left = created(waits, in_process, folder=str(tmp_path), name="left", until="never")
        process = Path(f"/proc/{started(tmp_path, 'left')['pid']}")
        assert narrow.terminate() == 0
        assert not process.exists()
        assert state_name(left) == "AwaitingRetry"
        assert not (tmp_path / f"{left}.cancelled").exists()
    finally:
        (tmp_path / "go-first").touch()
        narrow.kill()
