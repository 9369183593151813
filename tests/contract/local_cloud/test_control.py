"""The control API as its client sees it, when something is refused or fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from localcloud.assembly import PART_NAMES, build_parts
from localcloud.client import CloudRefused, LocalCloud
from localcloud.config import CloudConfig
from localcloud.part import Part, PartFailed
from localcloud.supervision.control import ControlPart
from localcloud.web.wire import Wire


@dataclass
class Controlled:
    """A cloud whose one part has one fault command."""

    command: Callable[..., Any]
    wire: Wire = field(default_factory=Wire)

    def status(self) -> dict[str, Any]:
        raise RuntimeError("a bug")

    def part(self, name: str) -> Part | None:
        return build_like(self.command)

    def reset(self) -> None:
        """Nothing to undo."""

    def dashboard_link(self) -> str:
        raise LookupError("no Flink")

    def ask_to_stop(self) -> None:
        """Nothing to stop."""


def build_like(command: Callable[..., Any]) -> Any:
    """As much of a part as the control API uses."""

    class OneCommand:
        def fault_commands(self) -> dict[str, Callable[..., Any]]:
            return {"break": command}

    return OneCommand()


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Callable[[Callable[..., Any]], LocalCloud]]:
    served: list[ControlPart] = []

    def serve(command: Callable[..., Any]) -> LocalCloud:
        control = ControlPart(CloudConfig(tmp_path), Controlled(command))
        control.start()
        served.append(control)
        client = LocalCloud(tmp_path)
        client.state.hold()
        client.state.write({"control_url": control.url(), "control_token": control.token})
        return client

    yield serve
    for control in served:
        control.stop()


def failing(error: Exception) -> Callable[[], None]:
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    "error",
    [PartFailed("no JobManager"), TypeError("no JobManager"), ValueError("no JobManager")],
    ids=lambda error: type(error).__name__,
)
def test_what_a_command_refuses_is_told_in_its_words(
    cloud: Callable[..., LocalCloud], error: Exception
) -> None:
    with cloud(failing(error)) as client, pytest.raises(CloudRefused, match="no JobManager"):
        client.fault("flink", "break")


def test_a_bug_of_the_cloud_is_told_with_where_its_log_is(
    cloud: Callable[..., LocalCloud],
) -> None:
    """On one line, not as a traceback of the client."""
    with (
        cloud(failing(ValueError())) as client,
        pytest.raises(CloudRefused, match=r"GET /status \(HTTP 500\).*localcloud logs"),
    ):
        client.status()


def test_every_fault_command_says_what_it_takes(tmp_path: Path) -> None:
    """Its type hints decide how arguments on a command line are read."""
    for part in build_parts(CloudConfig(tmp_path), Wire(), PART_NAMES):
        for name, command in part.fault_commands().items():
            assert get_type_hints(command), name
