"""What the supervisor asks of every part of the local cloud."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class PartFailed(Exception):
    """A part did not start or died; the message ends with the tail of its log."""


class Refused(Exception):
    """An emulator refuses what it was asked for; the message is for who asked."""


@dataclass(frozen=True)
class Operation:
    """One operation that an emulator serves, for the generated page.

    Args:
        service: The service's name in the request log, for example ``glue``.
        operation: The operation by the service's own name, for example ``StartJobRun``.
        description: One line: what happens here, and how it differs from the real service.
    """

    service: str
    operation: str
    description: str


class Part(Protocol):
    """One service of the local cloud.

    A part is built as ``SomePart(config, wire, **needs)`` and does nothing before ``start``.
    """

    @property
    def name(self) -> str:
        """The name on the command line and in ``status``, for example ``flink``."""

    def start(self) -> None:
        """Return when the part answers requests.

        Raises:
            PartFailed: It did not become ready; the message carries the tail of its log.
        """

    def stop(self) -> None:
        """Leave no process, thread or socket behind. Calling it twice, or before start, is fine."""

    def reset(self) -> None:
        """Back to the state after start, for the next test: faults of its own undone, jobs kept."""

    def url(self) -> str:
        """The address to use; only meaningful after ``start``."""

    def details(self) -> dict[str, Any]:
        """JSON for ``status``.

        Some keys mean the same for every part. ``accounts`` (``{"azure": {…}}``, ``{"aws": {…}}``)
        is merged into the sections of that name at the top of ``status``, ``ca_file`` is shown at
        the top as well. ``processes`` (a name to
        ``{"pid", "alive"}``) decides whether the part is still ready.
        """

    def operations(self) -> list[Operation]:
        """What is served. Must not need a started part."""

    def left_out(self) -> list[str]:
        """What is deliberately not done, one sentence each. Must not need a started part."""

    def fault_commands(self) -> Mapping[str, Callable[..., Any]]:
        """Faults beyond the fault book: name to a function of JSON values that returns JSON.

        The functions say in their type hints what they take, and raise ``Refused``, ``PartFailed``,
        ``ValueError`` or ``LookupError`` for what they do not do.
        """
