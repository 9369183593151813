"""What a lease depends on: its length, its clock, and storage that may be away for a while."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flinkglue.errors import CallFailed, InvalidInput, ServiceUnavailable
from flinkglue.lifecycle.journal.claims import LeaseTerms
from flinkglue.lifecycle.journal.file_store import FileStore
from flinkglue.lifecycle.journal.journal import Journal
from flinkglue.lifecycle.models import Action
from flinkglue.prefect.store.lease_setting import LEAST_SECONDS, MOST_SECONDS, lease_seconds_in
from tests.unit.lifecycle.fake_flink_jobs import Clock

VARIABLE = "FLINK_LEASE_SECONDS"


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "0", "-30", "0.5", "1e9", "half a minute"])
def test_a_lease_that_is_none_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidInput, match=rf"{VARIABLE}.*from 1 to 3600"):
        lease_seconds_in(VARIABLE, 30.0, {VARIABLE: text})


@given(st.floats(LEAST_SECONDS, MOST_SECONDS))
def test_a_lease_is_as_long_as_the_environment_says(seconds: float) -> None:
    assert lease_seconds_in(VARIABLE, 30.0, {VARIABLE: f" {seconds!r} "}) == seconds


@pytest.mark.parametrize("environment", [{}, {VARIABLE: ""}])
def test_a_lease_has_a_length_of_its_own(environment: dict[str, str]) -> None:
    assert lease_seconds_in(VARIABLE, 30.0, environment) == 30


def test_a_lease_runs_out_while_the_machine_is_suspended() -> None:
    """Linux counts that time in one of its clocks; a namespace moves it, as waking up does."""
    if not hasattr(time, "CLOCK_BOOTTIME"):
        pytest.skip("this system has no clock that counts it")
    code = (
        "import time; from flinkglue.clock import SystemClock, elapsed_seconds; "
        "print(min(SystemClock().monotonic(), elapsed_seconds()) - time.monotonic())"
    )
    suspended = ["unshare", "--user", "--time", "--boottime", "5000", "--fork", "--"]
    try:
        subprocess.run([*suspended, "true"], check=True, capture_output=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        pytest.skip("this system lets nobody move that clock")
    found = subprocess.run(
        [*suspended, sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert float(found.stdout) > 4000


def away(directory: Path) -> Path:
    """The file server does not answer: whoever follows the path gets an error, not nothing."""
    aside = directory.rename(directory.with_name("aside"))
    directory.symlink_to(directory)
    return aside


def back(directory: Path, aside: Path) -> None:
    directory.unlink()
    aside.rename(directory)


def test_a_lease_on_files_outlives_a_file_server_that_is_away_for_less_than_it(
    tmp_path: Path,
) -> None:
    clock, claims = Clock(), tmp_path / "journal" / "claim"
    terms = LeaseTerms(keep=lambda call, seconds: clock.every(seconds, call))
    store = FileStore(tmp_path / "journal", clock.monotonic)
    held = Journal(store).begin("run-1", Action.STOP, "orders", terms=terms, clock=clock)
    clock.sleep(5)
    aside = away(claims)
    clock.sleep(10)
    back(claims, aside)
    clock.sleep(60)
    held.check()


def test_a_file_server_that_is_away_fails_calls_and_is_never_taken_for_empty(
    tmp_path: Path,
) -> None:
    store, directory = FileStore(tmp_path), tmp_path / "intent"
    version = store.swap("intent", "run-1", None, {"a": 1})
    aside = away(directory)
    for call in (
        lambda: store.stored("intent", "run-1"),
        lambda: store.swap("intent", "run-1", None, {"a": 2}),
        lambda: store.touch("intent", "run-1", version or ""),
        lambda: store.documents("intent"),
        lambda: store.write("intent", "run-1", {"a": 2}),
        lambda: store.delete("intent", "run-1"),
    ):
        with pytest.raises(ServiceUnavailable, match="intent"):
            call()
    back(directory, aside)
    assert store.read("intent", "run-1") == {"a": 1}


def test_a_directory_that_is_a_file_does_not_pass(tmp_path: Path) -> None:
    (tmp_path / "intent").write_text("")
    with pytest.raises(CallFailed) as failed:
        FileStore(tmp_path).stored("intent", "run-1")
    assert not isinstance(failed.value, ServiceUnavailable)
