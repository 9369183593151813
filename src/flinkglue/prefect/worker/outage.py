"""An outage of the Prefect server does not end a worker and the flow runs that wait in it.

Prefect's loop ends a worker whose server does not answer for some ten minutes. That would end its
threads, which only wait for jobs elsewhere and need no server meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from flinkglue.clock import Pace
from flinkglue.errors import ServiceUnavailable, Throttled

TRIED_AGAIN = Pace(first_seconds=1, most_seconds=10)


async def retried_until_available(
    call: Callable[[], Awaitable[None]],
    log: logging.Logger | logging.LoggerAdapter[Any],
    *,
    just_once: bool = False,
) -> None:
    """Make a call to the server, again and again while there is no answer, however long.

    Args:
        just_once: Leave it to a later call to try again.

    Raises:
        Exception: What the call raises otherwise.
    """
    is_away = False
    for pause_seconds in TRIED_AGAIN.pauses():
        try:
            await call()
        except Exception as error:
            if not _may_pass(error):
                raise
            if not is_away:
                log.warning("The Prefect server does not answer, trying again: %s", error)
            if just_once:
                return
            is_away = True
        else:
            if is_away:
                log.info("The Prefect server answers again")
            return
        await asyncio.sleep(pause_seconds)


def _may_pass(error: Exception) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.is_server_error
    return isinstance(error, (httpx.TransportError, ServiceUnavailable, Throttled))
