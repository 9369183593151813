"""The arguments of a run and of its job that say where its logs lie. Pure."""

from __future__ import annotations

from collections.abc import Mapping

GROUP_PREFIX = "--custom-logGroup-prefix"
STREAM_PREFIX = "--custom-logStream-prefix"
CONTINUOUS = "--enable-continuous-cloudwatch-log"
CONTINUOUS_GROUP = "--continuous-log-logGroup"
CONTINUOUS_STREAM_PREFIX = "--continuous-log-logStreamPrefix"
LOG_ARGUMENTS = (
    GROUP_PREFIX,
    STREAM_PREFIX,
    CONTINUOUS,
    CONTINUOUS_GROUP,
    CONTINUOUS_STREAM_PREFIX,
)
"""The only arguments of a run and of its job that are read for this; none of them is secret."""


def log_arguments(arguments: Mapping[str, str]) -> dict[str, str]:
    """Those of the arguments that say where logs lie."""
    return {name: arguments[name] for name in LOG_ARGUMENTS if arguments.get(name)}
