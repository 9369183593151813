"""What a state directory keeps, and who may work in it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from localcloud.__main__ import main
from localcloud.config import CloudConfig, free_port
from localcloud.flink.config import ClusterFiles, write_configuration
from localcloud.kept_file import kept, private_directory, write_kept
from localcloud.state import AlreadyRunning, StateDir
from localcloud.supervision.supervisor import Cloud


def test_a_kept_file_is_made_once_and_for_its_owner(tmp_path: Path) -> None:
    file = tmp_path / "account.key"
    assert kept(file, lambda: b"first") == b"first"
    assert kept(file, lambda: b"second") == b"first"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_start_that_was_killed_leaves_no_half_of_a_file(tmp_path: Path) -> None:
    """What is not renamed yet does not count, and is no obstacle."""
    (tmp_path / "account.key.new").write_bytes(b"hal")
    assert kept(tmp_path / "account.key", lambda: b"whole") == b"whole"
    write_kept(tmp_path / "account.key", b"other")
    assert [file.name for file in tmp_path.iterdir()] == ["account.key"]


def test_a_second_cloud_makes_nothing_in_a_directory_that_is_held(tmp_path: Path) -> None:
    """Else two first starts would draw two accounts."""
    StateDir(tmp_path).hold()
    with pytest.raises(AlreadyRunning):
        Cloud(CloudConfig(tmp_path), ["flink"])
    assert [file.name for file in tmp_path.iterdir()] == ["lock"]


def test_logs_are_shown_of_a_cloud_that_does_not_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Most of all why it does not."""
    logs = tmp_path / "flink" / "session" / "log"
    logs.mkdir(parents=True)
    (logs / "jobmanager.log").write_text("the JobManager died")
    (logs / "taskmanager.out").write_text("a word")
    assert main(["logs", "flink", "--state-dir", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "jobmanager.log <==\nthe JobManager died" in shown
    assert "taskmanager.out <==\na word" in shown


def test_there_are_no_logs_of_a_cloud_that_never_ran(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["logs", "--state-dir", str(tmp_path)]) == 3
    assert str(tmp_path) in capsys.readouterr().err


@pytest.mark.parametrize("port", ["99999", "-1", "x", "", "65536", "²"])
def test_a_port_that_is_none_is_refused(
    port: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["up", "--port", f"control={port}", "--state-dir", str(tmp_path / "none")]) == 2
    assert "0 (any) to 65535" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("version", [(1, 17), (2, 3)])
def test_flink_keeps_its_state_in_a_directory_with_a_space(
    tmp_path: Path, version: tuple[int, int]
) -> None:
    """It does not decode %20: the state would lie in a directory of that name."""
    files = ClusterFiles(tmp_path / "my cloud")
    files.make()
    write_configuration(files, version=version, rest_port=1, rpc_port=2, task_slots=1, settings={})
    (written,) = (*files.conf.glob("*.yaml"),)
    configuration = written.read_text()
    assert f": file://{files.savepoints}\n" in configuration
    assert f": file://{files.checkpoints}\n" in configuration
    assert "%20" not in configuration


def test_a_taskmanager_outlasts_a_jobmanager_that_stays_down(tmp_path: Path) -> None:
    """By itself it ends after 5 minutes, and could not be registered again."""
    files = ClusterFiles(tmp_path)
    files.make()
    write_configuration(files, version=(2, 3), rest_port=1, rpc_port=2, task_slots=1, settings={})
    configuration = (files.conf / "config.yaml").read_text()
    assert "taskmanager.registration.timeout: 30 d\n" in configuration


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_state_directory_is_its_owners_alone(tmp_path: Path) -> None:
    """A new one, one that was made before, and an empty one; each was open to others."""
    earlier, empty = tmp_path / "earlier", tmp_path / "empty"
    for directory in (earlier, empty):
        directory.mkdir(mode=0o755)
    (earlier / "lock").touch()
    (earlier / "cloud.json").touch()
    for directory in (tmp_path / "parent" / "new", earlier, empty):
        StateDir(directory).hold()
        assert mode(directory) == 0o700


def test_a_directory_that_is_not_ours_is_neither_closed_nor_used(tmp_path: Path) -> None:
    """Somebody's checkout, or /tmp."""
    checkout = tmp_path / "checkout"
    checkout.mkdir(mode=0o755)
    (checkout / "README.md").touch()
    with pytest.raises(ValueError, match=f"chmod 700 {checkout}"):
        StateDir(checkout).hold()
    assert mode(checkout) == 0o755
    assert [file.name for file in checkout.iterdir()] == ["README.md"]
    checkout.chmod(0o700)
    private_directory(checkout, "lock")


def test_a_free_port_is_given_to_no_outgoing_connection_meanwhile() -> None:
    """It is served only after Flink's JVM has started; the system hands out higher ones itself."""
    ports = {free_port() for _ in range(50)}
    assert len(ports) > 25, "two that are chosen at once are hardly ever the same"
    assert all(10_000 < port < 32_768 for port in ports)
