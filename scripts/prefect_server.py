"""The Prefect server of the demo and the tests: Prefect's own, closed to pages of other origins.

Prefect's server answers every origin (CORS "*"), every Host and every WebSocket. Its password keeps
strangers out of the API; this keeps their pages from everything else of it. On SQLite, what writes
takes turns (scripts/sqlite_turns.py).
"""

from __future__ import annotations

import uvicorn
from prefect.server.api.server import create_app
from prefect.server.database.dependencies import set_database_config
from prefect.server.utilities.database import get_dialect
from prefect.settings import PREFECT_SERVER_DATABASE_CONNECTION_URL, get_current_settings

from localcloud.web.browser_guard import AsgiBrowserGuard
from scripts.sqlite_turns import SqliteInTurns


def main() -> None:
    """Serves at the host and port of the settings until a signal ends it."""
    api = get_current_settings().server.api
    database_url = PREFECT_SERVER_DATABASE_CONNECTION_URL.value()
    if get_dialect(database_url).name == "sqlite":
        set_database_config(SqliteInTurns(database_url))
    uvicorn.run(
        AsgiBrowserGuard(create_app(final=True), is_page),
        host=api.host,
        port=api.port,
        timeout_keep_alive=api.keepalive_timeout,
        log_level="info",
    )


def is_page(path: str) -> bool:
    """Whether a path is one of the UI, which links elsewhere may open."""
    return not path.startswith("/api")


if __name__ == "__main__":
    main()
