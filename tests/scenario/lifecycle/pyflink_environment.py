"""PyFlink for the programs that a JobManager starts: what a cluster's image has for Python jobs.

Of its packages only those that a program without Python functions needs, 28 MB. They are fetched
once with pip, as it is set up here, and kept in the checkout's .cache.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from tests.scenario.lifecycle.flink_versions import ROOT, NotToBeHad

_PACKAGES = ("py4j", "cloudpickle", "python-dateutil", "pytz", "six", "typing-extensions")
_FETCH_SECONDS = 120


def python_with_pyflink() -> Path:
    """A Python executable that has PyFlink.

    Raises:
        NotToBeHad: The package index does not give it.
    """
    flink = version("apache-flink-libraries")
    kept = ROOT / ".cache" / f"pyflink-{flink}-python{sys.version_info[0]}.{sys.version_info[1]}"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f"{kept.name}.", dir=kept.parent))
        try:
            _install(fresh / "packages", f"apache-flink=={flink}", *_PACKAGES, "ruamel.yaml")
            _write_executable(fresh / "python", kept / "packages")
            fresh.rename(kept)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return kept / "python"


def _install(target: Path, *packages: str) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--target", str(target), *packages]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_FETCH_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as late:
        raise NotToBeHad(f"pip took longer than {_FETCH_SECONDS} s") from late
    if done.returncode != 0:
        raise NotToBeHad((done.stderr.strip().splitlines() or ["pip said nothing"])[-1])


def _write_executable(path: Path, packages: Path) -> None:
    """Flink sets PYTHONPATH to the program's files; the packages come after them."""
    python = Path(sys.executable)
    path.write_text(f'#!/bin/sh\nPYTHONPATH="$PYTHONPATH:{packages}" exec "{python}" "$@"\n')
    path.chmod(0o755)
