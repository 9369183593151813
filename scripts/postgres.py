"""A PostgreSQL of one's own in a directory: on loopback, with a password, without root or Docker.

Started by root, which PostgreSQL refuses, it runs by an account without rights that owns its data
and nothing else: `postgres` where a package has made it, else `nobody`.

Its programs are those of the machine: `postgres` in PATH (a package such as Debian's `postgresql`,
Homebrew's, or a wheel that has them), else the newest below /usr/lib/postgresql.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

from localcloud.config import LOOPBACK, free_port
from localcloud.kept_file import kept, private_directory
from localcloud.processes import ChildProcess, as_account, tail

USER = "prefect"
STARTS_WITHIN_SECONDS = 60.0
_DEBIAN = Path("/usr/lib/postgresql")
_ACCOUNTS_OF_ROOT = ("postgres", "nobody")


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
        self._account = account_without_rights()
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
            PostgresFailed: There are no programs, its account cannot enter the directory, or it did
                not start.
        """
        programs = find_programs()
        private_directory(self._directory, own_file="password")
        self._let_the_account_in()
        if not (self._data / "PG_VERSION").exists():
            self._set_up(programs)
        log = self._directory / "postgres.log"
        self._process = ChildProcess(
            [
                str(programs / "postgres"), "-D", str(self._data), "-p", str(self._port),
                "-c", f"listen_addresses={LOOPBACK}", "-c", "unix_socket_directories=",
            ],
            log_file=log,
            directory=self._data,
            account=self._account,
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

    def new_database(self, name: str) -> str:
        """Make another database in the running server; its URL."""
        sql = f'create database "{name}"'
        command = [str(find_programs() / "psql"), self.url.replace("+asyncpg", ""), "-qc", sql]
        subprocess.run(command, check=True, capture_output=True)
        return f"{self.url.rpartition('/')[0]}/{name}"

    def kill(self) -> None:
        """SIGKILL its first process, as a machine that runs out of memory does; start it again."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def _let_the_account_in(self) -> None:
        """Root's account may pass through the directory to its data; it sees nothing else there."""
        if self._account is None:
            return
        self._directory.chmod(0o711)
        passes = subprocess.run(
            ["/bin/sh", "-c", 'cd "$1"', "sh", str(self._directory)],
            cwd="/", stderr=subprocess.DEVNULL, check=False, **as_account(self._account),
        )  # fmt: skip
        if passes.returncode:
            name = pwd.getpwuid(self._account[0]).pw_name
            raise PostgresFailed(
                f"PostgreSQL does not run as root, and {name}, which it would run by, may not "
                f"enter {self._directory}: choose a directory below ones that all may enter, or "
                "start this as another user"
            )

    def _set_up(self, programs: Path) -> None:
        shutil.rmtree(self._data, ignore_errors=True)  # of a set-up that was interrupted
        self._data.mkdir(mode=0o700)
        if self._account is not None:
            os.chown(self._data, *self._account)
        with self._password_file() as password:
            done = subprocess.run(
                [
                    str(programs / "initdb"), "-D", str(self._data), "-U", USER, "-E", "UTF8",
                    "--locale=C", "--auth=scram-sha-256", f"--pwfile={password}",
                ],
                capture_output=True,
                text=True,
                check=False,
                cwd=self._data,
                **as_account(self._account),
            )  # fmt: skip
        if done.returncode:
            shutil.rmtree(self._data, ignore_errors=True)
            raise PostgresFailed(f"initdb failed:\n{done.stdout[-1000:]}{done.stderr[-2000:]}")

    @contextmanager
    def _password_file(self) -> Iterator[str]:
        """A copy of the password that initdb may read, while the block runs."""
        with NamedTemporaryFile("w") as file:
            file.write(self._password)
            file.flush()
            if self._account is not None:
                os.fchown(file.fileno(), *self._account)
            yield file.name


def account_without_rights() -> tuple[int, int] | None:
    """The user and group ids that root runs PostgreSQL by; None where this is not root.

    Raises:
        PostgresFailed: This is root, and there is no such account.
    """
    if os.geteuid() != 0:
        return None
    for name in _ACCOUNTS_OF_ROOT:
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        return account.pw_uid, account.pw_gid
    raise PostgresFailed(
        "PostgreSQL does not run as root, and there is no account "
        f"{' or '.join(_ACCOUNTS_OF_ROOT)} to run it by: start this as another user"
    )


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
        "PostgreSQL was not found: install it, for example Debian's package postgresql, "
        "or put the bin directory of one into PATH"
    )
