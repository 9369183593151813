"""A PostgreSQL of one's own in a directory: on loopback, with a password, without root or Docker.

Its programs are those of the machine: `postgres` in PATH (a package such as Debian's `postgresql`,
Homebrew's, or a wheel that has them), else the newest below /usr/lib/postgresql.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import time
from pathlib import Path

from localcloud.config import LOOPBACK, free_port
from localcloud.kept_file import kept, private_directory
from localcloud.processes import ChildProcess, tail

USER = "prefect"
STARTS_WITHIN_SECONDS = 60.0
_DEBIAN = Path("/usr/lib/postgresql")


class PostgresFailed(Exception):
    """It could not be set up or started; the message says why."""


class Postgres:
    """One database cluster and its server.

    Args:
        directory: Where data, password and log lie. It is made if it is missing.
        port: The port on loopback; 0 takes a free one.
    """

    def __init__(self, directory: Path, port: int = 0) -> None:
        self._directory = directory.resolve()
        self._port = port or free_port()
        self._data = self._directory / "data"
        self._process: ChildProcess | None = None

    @property
    def url(self) -> str:
        """For ``PREFECT_SERVER_DATABASE_CONNECTION_URL``; it holds the password."""
        return f"postgresql+asyncpg://{USER}:{self._password}@{LOOPBACK}:{self._port}/postgres"

    @property
    def _password(self) -> str:
        return kept(self._directory / "password", lambda: secrets.token_hex(24).encode()).decode()

    def start(self) -> None:
        """Set it up if it is new, and return when it answers.

        Raises:
            PostgresFailed: There are no programs, this is root, or it did not start.
        """
        if os.geteuid() == 0:
            raise PostgresFailed("PostgreSQL does not run as root: start this as another user")
        programs = find_programs()
        private_directory(self._directory, own_file="password")
        if not (self._data / "PG_VERSION").exists():
            self._set_up(programs)
        log = self._directory / "postgres.log"
        self._process = ChildProcess(
            [
                str(programs / "postgres"), "-D", str(self._data), "-p", str(self._port),
                "-c", f"listen_addresses={LOOPBACK}", "-c", "unix_socket_directories=",
            ],
            log_file=log,
        )  # fmt: skip
        self._process.start()
        give_up_at = time.monotonic() + STARTS_WITHIN_SECONDS
        answers = [str(programs / "pg_isready"), "-q", "-h", LOOPBACK, "-p", str(self._port)]
        while subprocess.run(answers, check=False).returncode:
            if not self._process.is_alive() or time.monotonic() > give_up_at:
                self.stop()
                raise PostgresFailed(f"PostgreSQL did not start:\n{tail(log)}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Ends the server; its clients should have left."""
        if self._process is not None:
            self._process.stop(grace_seconds=20)
            self._process = None

    def _set_up(self, programs: Path) -> None:
        shutil.rmtree(self._data, ignore_errors=True)  # of a set-up that was interrupted
        self._password  # noqa: B018 - writes the file that initdb reads
        done = subprocess.run(
            [
                str(programs / "initdb"), "-D", str(self._data), "-U", USER, "-E", "UTF8",
                "--locale=C", "--auth=scram-sha-256", f"--pwfile={self._directory / 'password'}",
            ],
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        if done.returncode:
            shutil.rmtree(self._data, ignore_errors=True)
            raise PostgresFailed(f"initdb failed:\n{done.stdout[-1000:]}{done.stderr[-2000:]}")


def find_programs() -> Path:
    """The directory with initdb, postgres and pg_isready.

    Raises:
        PostgresFailed: There is none.
    """
    found = [Path(program).parent for program in [shutil.which("postgres")] if program]
    versions = sorted(_DEBIAN.glob("*/bin"), key=lambda path: float(path.parent.name))
    for directory in [*found, *reversed(versions)]:
        if all((directory / name).exists() for name in ("initdb", "postgres", "pg_isready")):
            return directory
    raise PostgresFailed(
        "no PostgreSQL on this machine: install a package of it, such as Debian's postgresql, "
        "or put the bin directory of one into PATH"
    )
