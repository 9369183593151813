"""The Prefect server of the demo and the tests: Prefect's own, closed to pages of other origins.

Prefect's server answers every origin (CORS "*"), every Host and every WebSocket. Its password keeps
strangers out of the API; this keeps their pages from everything else of it.
"""

from __future__ import annotations

import uvicorn
from prefect.server.api.server import create_app
from prefect.settings import get_current_settings

from localcloud.web.browser_guard import AsgiBrowserGuard


def main() -> None:
    """Serves at the host and port of the settings until a signal ends it."""
    api = get_current_settings().server.api
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
