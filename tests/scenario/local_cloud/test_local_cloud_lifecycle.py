"""The local cloud comes up, says where it is, and leaves nothing behind however it ends."""

import json
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localcloud.client import CloudNotRunning, LocalCloud
from localcloud.config import free_port
from localcloud.state import StateDir
from tests.process_trees import processes_of
from tests.waiting import eventually

pytestmark = pytest.mark.scenario

REPOSITORY = Path(__file__).parents[3]


def localcloud(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "localcloud", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=240,
    )


def are_gone(pids: set[int]) -> bool:
    return eventually(lambda: not any(processes_of(pid) for pid in pids))


@pytest.fixture
def foreground(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts ``up`` as a person in a terminal does."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "localcloud", "up", "--state-dir", str(tmp_path), *arguments],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with process:
            process.kill()


def slots(cloud: LocalCloud) -> int:
    with cloud.flink.connect() as flink:
        return flink.overview().slots_total


def is_ready(state_dir: Path) -> bool:
    return bool((StateDir(state_dir).read() or {}).get("ready"))


def test_up_status_down_leaves_no_process(tmp_path: Path) -> None:
    up = localcloud(
        "up", "--detach", "--state-dir", str(tmp_path), "--only", "flink,blob", "--flink-slots", "3"
    )
    assert up.returncode == 0, up.stdout + up.stderr
    assert "flink     ready      http://127.0.0.1:" in up.stdout

    seen = json.loads(localcloud("status", "--json", "--state-dir", str(tmp_path)).stdout)
    assert seen["ready"] is True
    with LocalCloud(tmp_path) as running:
        assert slots(running) == 3
    pids = processes_of(seen["pid"])
    assert len(pids) >= 4, "the supervisor, two JVMs and Azurite"
    for child in ("jobmanager", "taskmanager"):
        assert seen["parts"]["flink"]["processes"][child]["pid"] in pids
    cloud_file = tmp_path / "cloud.json"
    assert stat.S_IMODE(cloud_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700

    assert localcloud("down", "--state-dir", str(tmp_path)).returncode == 0
    assert are_gone(pids)
    assert not cloud_file.exists()
    gone = localcloud("status", "--state-dir", str(tmp_path))
    assert (gone.returncode, "python -m localcloud up" in gone.stderr) == (3, True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything(
    tmp_path: Path, foreground: Callable[..., subprocess.Popen[str]], number: signal.Signals
) -> None:
    process = foreground("--only", "flink,blob")
    eventually(lambda: is_ready(tmp_path), within_seconds=180)
    pids = processes_of(process.pid)
    process.send_signal(number)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert are_gone(pids)
    assert "flink     ready after" in output
    assert output.rstrip().endswith("stopped")


def test_a_signal_during_the_start_ends_everything(
    tmp_path: Path, foreground: Callable[..., subprocess.Popen[str]]
) -> None:
    process = foreground("--only", "flink")
    assert eventually(lambda: len(processes_of(process.pid)) >= 3)
    pids = processes_of(process.pid)
    process.terminate()
    assert process.wait(120) == 0
    assert are_gone(pids)


def test_a_killed_supervisor_takes_its_children_with_it_and_can_be_started_again(
    tmp_path: Path, foreground: Callable[..., subprocess.Popen[str]]
) -> None:
    process = foreground("--only", "flink,blob")
    eventually(lambda: is_ready(tmp_path), within_seconds=180)
    pids = processes_of(process.pid)
    process.kill()
    process.wait()
    assert are_gone(pids)
    with pytest.raises(CloudNotRunning):
        LocalCloud(tmp_path).status()

    with LocalCloud.up(tmp_path, only=["blob"]) as again:
        assert again.status()["ready"]


STARTER = """
import sys, time
from localcloud.client import LocalCloud
print(LocalCloud.up(sys.argv[1], only=["blob"]).status()["pid"], flush=True)
time.sleep(300)
"""


def test_a_cloud_ends_with_the_test_run_that_started_it(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    ) as starter:
        assert starter.stdout is not None
        pids = processes_of(int(starter.stdout.readline()))
        assert len(pids) >= 2
        starter.kill()
    assert are_gone(pids)


def test_two_clouds_run_side_by_side(tmp_path: Path) -> None:
    with (
        LocalCloud.up(tmp_path / "one", only=["flink", "blob"], flink_slots=1) as one,
        LocalCloud.up(tmp_path / "two", only=["flink", "blob"], flink_slots=2) as two,
    ):
        assert [slots(cloud) for cloud in (one, two)] == [1, 2]
        first_pids = processes_of(one.status()["pid"])
        one.down()
        assert are_gone(first_pids)
        assert two.status()["ready"]


def test_a_state_directory_serves_one_cloud_only(tmp_path: Path) -> None:
    with LocalCloud.up(tmp_path, only=["blob"]) as running:
        second = localcloud("up", "--state-dir", str(tmp_path), "--only", "blob")
        assert second.returncode == 1
        assert f"already runs in {tmp_path}" in second.stderr
        assert running.status()["ready"]


def test_ports_are_as_asked_for(tmp_path: Path) -> None:
    port = free_port()
    with LocalCloud.up(tmp_path, only=["blob"], ports={"blob": port}) as cloud:
        assert f":{port}/" in cloud.status()["parts"]["blob"]["url"]


def test_a_taken_port_ends_the_start_with_its_reason(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        failed = localcloud(
            "up", "--state-dir", str(tmp_path), "--only", "blob", "--port", f"blob={port}"
        )
    assert failed.returncode == 1
    assert "blob did not start" in failed.stderr
    assert "Address already in use" in failed.stderr
    assert not StateDir(tmp_path).is_held()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--only", "flink,gcp"), "'gcp' is not accepted. Allowed: flink, blob, entra"),
        (("--port", "blob"), "--port: 'blob' is not accepted. Allowed: PART=PORT"),
        (("--port", "gcp=1"), "--port: 'gcp=1' is not accepted. Allowed: PART=PORT"),
        (("--flink-slots", "0"), "flink_task_slots: 0 is not accepted. Allowed: 1 or more"),
    ],
)
def test_wrong_usage_is_refused_with_what_is_allowed(
    tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    refused = localcloud("up", "--state-dir", str(tmp_path), *arguments)
    assert refused.returncode == 2
    assert told in refused.stderr


def test_a_cloud_is_started_from_any_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with LocalCloud.up(tmp_path / "state", only=["blob"]) as cloud:
        assert cloud.status()["ready"]


def test_ctrl_c_while_a_detached_cloud_starts_leaves_none_behind(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    starting = subprocess.Popen(
        [sys.executable, "-m", "localcloud", "up", "--detach", "--state-dir", str(tmp_path)],
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert eventually(state.is_held)
    started = processes_of(starting.pid)
    starting.send_signal(signal.SIGINT)
    starting.wait(120)
    assert are_gone(started)
    assert not state.is_held()
