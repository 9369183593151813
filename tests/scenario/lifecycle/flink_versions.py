"""Older Flink distributions from PyPI, beside the installed one.

Two versions of apache-flink-libraries cannot be installed side by side, so the source distribution
is fetched with pip, as it is set up here, and its jars are kept. FLINK_DISTRIBUTIONS names the
directory for them; without it they lie in the checkout's .cache.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[3]
_FETCH_SECONDS = 600


class NotToBeHad(Exception):
    """The package index does not give this version; the message says what pip said."""


def flink_lib_dir(version: str) -> Path:
    """The ``lib`` directory of a version, about 230 MB, fetched once.

    Raises:
        NotToBeHad: It is not there and cannot be fetched.
    """
    kept = Path(os.environ.get("FLINK_DISTRIBUTIONS", ROOT / ".cache")) / f"flink-{version}"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        # Beside its place and renamed at the end: a fetch that is interrupted leaves nothing half.
        fresh = Path(tempfile.mkdtemp(prefix=f"{kept.name}.", dir=kept.parent))
        try:
            _extract(_fetch(version, fresh), fresh / "lib")
            (fresh / "lib").rename(kept)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return kept


def _fetch(version: str, directory: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:"]
    command += ["--quiet", "--dest", str(directory), f"apache-flink-libraries=={version}"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_FETCH_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as late:
        raise NotToBeHad(f"pip took longer than {_FETCH_SECONDS} s") from late
    if done.returncode != 0:
        raise NotToBeHad((done.stderr.strip().splitlines() or ["pip said nothing"])[-1])
    return next(directory.glob("apache*flink*.tar.gz"))


def _extract(archive: Path, lib_dir: Path) -> None:
    lib_dir.mkdir()
    with tarfile.open(archive) as members:
        for member in members:
            path = Path(member.name)
            if path.parent.parts[-2:] == ("deps", "lib") and path.suffix == ".jar":
                with (lib_dir / path.name).open("wb") as jar:
                    source = members.extractfile(member)
                    assert source is not None
                    shutil.copyfileobj(source, jar)
