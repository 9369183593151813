"""The flow run that runs here, and its log, for lines that may hold texts from outside."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from prefect import get_run_logger
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext

from flinkglue.texts import printable, without_credentials

if TYPE_CHECKING:
    _Adapter = logging.LoggerAdapter[Any]
else:
    _Adapter = logging.LoggerAdapter


class HarmlessLog(_Adapter):
    """Writes out control characters, which a terminal would act on, and hides credentials."""

    def __init__(self, logger: Any) -> None:
        super().__init__(logger, {})

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """As of any logger."""
        if self.isEnabledFor(level):
            # A record, because a dictionary alone after the message is one of names.
            line = logging.LogRecord("", level, "", 0, msg, args, None).getMessage()
            self.logger.log(level, "%s", printable(without_credentials(line)), **kwargs)


def run_log() -> HarmlessLog:
    """The log of the flow run or task run that runs here."""
    return HarmlessLog(get_run_logger())


def this_flow_run() -> FlowRun:
    """The flow run that runs here; called in a flow alone."""
    context = FlowRunContext.get()
    assert context is not None
    assert context.flow_run is not None
    return context.flow_run
