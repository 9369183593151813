"""A Prefect server on PostgreSQL, for many flow runs at a time; on loopback, until Ctrl-C.

    python -m scripts.serve_prefect --state-dir DIR [--port 4200] [--database sqlite]
                                    [--public-url https://prefect.example.com]

Sets both up in the directory, and reuses them there. It needs neither root nor Docker, only
PostgreSQL's programs (scripts/postgres.py says where they are searched for). To try things out,
SQLite is enough: that is what scripts/demo uses, with transactions that take turns.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from infra.argument_types import Command
from scripts.postgres import Postgres, PostgresFailed
from scripts.prefect_stack import PrefectStack, StackFailed


def main(arguments: list[str] | None = None) -> int:
    parser = Command(
        prog="python -m scripts.serve_prefect",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--state-dir", type=Path, required=True, help="the directory for all data")
    parser.add_argument("--port", type=int, default=0, help="Prefect's port (default: a free one)")
    parser.add_argument(
        "--database",
        choices=("postgresql", "sqlite"),
        default="postgresql",
        help="where flow runs are kept (default: %(default)s)",
    )
    parser.add_argument(
        "--public-url",
        type=_origin,
        metavar="URL",
        help="where a reverse proxy has it for other machines, such as https://prefect.example.com",
    )
    options = parser.parse_args(arguments)
    for ending in (signal.SIGTERM, signal.SIGHUP):  # leave through the exit stack
        signal.signal(ending, lambda number, _: sys.exit(128 + number))
    try:
        with ExitStack() as running:
            database_url = None
            if options.database == "postgresql":
                postgres = Postgres(options.state_dir / "postgres")
                running.callback(postgres.stop)
                postgres.start()
                database_url = postgres.url
            prefect = PrefectStack(
                options.state_dir / "prefect",
                options.port,
                database_url,
                public_url=options.public_url or "",
            )
            running.callback(prefect.stop)
            prefect.start_server()
            password = prefect.home / "ui-password"
            print(f"Prefect: {prefect.public_url}, with the user and password of {password}")
            print("Clients need:")
            print(f"  export PREFECT_API_URL={prefect.public_url}/api")
            print(f'  export PREFECT_API_AUTH_STRING="$(cat {password})"', flush=True)
            threading.Event().wait()
    except (PostgresFailed, StackFailed) as failure:
        print(f"The server did not start: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.")
    return 0


def _origin(given: str) -> str:
    """An address of a server; its UI can be at the root only."""
    parts = urlsplit(given)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/"):
        raise argparse.ArgumentTypeError("needs a form like https://prefect.example.com")
    if parts.username or parts.query or parts.fragment:
        raise argparse.ArgumentTypeError("needs scheme, host and port alone")
    return given


if __name__ == "__main__":
    sys.exit(main())
