"""CloudWatch Logs answers with empty pages before it shows what there is.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html: *This
operation can return empty results while there are more log events available through the token.*
Moto never does.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from werkzeug.test import run_wsgi_app

from localcloud.aws.glue.api import json_response
from localcloud.aws.glue.settings import GlueSettings
from localcloud.aws.operations import body_of
from localcloud.web.wire import Environ, WsgiApp

_TOKEN = re.compile(r"empty/(\d+)")


class LogPages:
    """GetLogEvents of moto, with as many empty pages in front as the settings say.

    Args:
        moto: What answers at last.
        settings: How many empty pages there are.
    """

    def __init__(self, moto: WsgiApp, settings: GlueSettings) -> None:
        self._moto = moto
        self._settings = settings

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        given = json.loads(body_of(environ))
        asked = _TOKEN.fullmatch(given.get("nextToken", ""))
        if "nextToken" in given and not asked:
            return self._moto(environ, start_response)
        given.pop("nextToken", None)
        left = int(asked[1]) if asked else self._settings.empty_log_pages
        application = _with_body(environ, given)
        if left == 0:
            return self._moto(application, start_response)
        answered, status, headers = run_wsgi_app(self._moto, application, buffered=True)
        if not status.startswith("200"):  # there is no such stream
            start_response(status, list(headers))
            return answered
        token = f"empty/{left - 1}"
        page = {"events": [], "nextForwardToken": token, "nextBackwardToken": token}
        return json_response(page, 200)(environ, start_response)


def _with_body(environ: Environ, given: Mapping[str, Any]) -> Environ:
    body = json.dumps(given).encode()
    kept = {name: value for name, value in environ.items() if name != "localcloud.aws.body"}
    return {**kept, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
