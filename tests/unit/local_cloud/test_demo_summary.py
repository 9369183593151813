"""What the demo prints: a stable port, what a second terminal needs, and what is not local."""

from __future__ import annotations

import json
import shlex
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from localcloud.client import LocalCloud
from localcloud.config import LOOPBACK, free_port, free_port_or
from scripts.demo_run import PREFECT_PORT, parse
from scripts.demo_summary import summary
from scripts.prefect_stack import PrefectStack

STATE = Path("/tmp/a demo/.localcloud")


def printed() -> str:
    cloud = SimpleNamespace(
        state=SimpleNamespace(path=STATE), dashboard_link=lambda: "http://127.0.0.1:1/?sign-in=x"
    )
    prefect = SimpleNamespace(
        ui_url="http://127.0.0.1:4210", password="admin:it", home=STATE / "prefect"
    )
    pages = [("Glue job", "http://127.0.0.1:4210/runs/flow-run/1")]
    return summary(cast(LocalCloud, cloud), cast(PrefectStack, prefect), pages)


def test_a_second_terminal_gets_what_it_needs() -> None:
    """Lines to paste; the password is read from its file."""
    exports = dict(
        shlex.split(line)[1].split("=", 1)
        for line in printed().splitlines()
        if line.strip().startswith("export")
    )
    assert exports["PREFECT_API_URL"] == "http://127.0.0.1:4210/api"
    assert exports["PREFECT_API_AUTH_STRING"] == f"$(cat '{STATE}/prefect/ui-password')"


def test_the_next_step_can_be_pasted() -> None:
    (line,) = [each for each in printed().splitlines() if "prefect deployment run" in each]
    parameters: dict[str, Any] = json.loads(shlex.split(line)[-1])
    assert parameters["job_name"] == "AirflowBlogJob"


def test_it_says_that_links_to_consoles_are_not_local() -> None:
    assert "lead to the real clouds" in printed()


def test_the_port_is_the_usual_one_where_it_is_free() -> None:
    usual = free_port()
    assert free_port_or(usual) == usual
    with socket.socket() as taken:
        taken.bind((LOOPBACK, usual))
        taken.listen()
        assert free_port_or(usual) != usual


def test_a_port_can_be_chosen() -> None:
    assert parse([]).prefect_port is None
    assert parse(["--prefect-port", "5000"]).prefect_port == 5000
    assert PREFECT_PORT != 4200
