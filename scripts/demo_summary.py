"""What the demo prints at its end: what to open, what a second terminal needs, what to try."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from localcloud.client import LocalCloud
from localcloud.config import DEFAULT_STATE_DIR
from scripts.prefect_stack import REPOSITORY, PrefectStack


def summary(cloud: LocalCloud, prefect: PrefectStack, pages: Sequence[tuple[str, str]]) -> str:
    """The text.

    Args:
        cloud: The local cloud.
        prefect: The server and its worker.
        pages: The flow runs that the demo has made: a title and an address each.
    """
    opened = [
        ("Prefect", prefect.ui_url),
        ("Password of Prefect", prefect.password),
        *pages,
        ("Flink dashboard (works once)", cloud.dashboard_link()),
    ]
    lines = [
        f"\n{bold('Done. Open:')}",
        *(f"    {title:32} {address}" for title, address in opened),
        f"\n{bold('In a second terminal:')}",
        *(f"    {line}" for line in shell_lines(prefect)),
        f"\n{bold('Try next:')}",
        *(f"    {line}" for line in next_steps(cloud, prefect)),
        "",
        "Links to the AWS console and the Azure portal on the pages lead to the real clouds,",
        "which do not know these jobs.",
    ]
    return "\n".join(lines)


def bold(text: str) -> str:
    """The text as a heading; a file or a pipeline's log gets it as it is."""
    return f"\033[1m{text}\033[0m" if sys.stdout.isatty() else text


def shell_lines(prefect: PrefectStack) -> list[str]:
    """What makes a shell talk to this server; the password stays in its file."""
    return [
        f"cd {shown(REPOSITORY)} && . .venv/bin/activate",
        f"export PREFECT_API_URL={prefect.ui_url}/api",
        f'export PREFECT_API_AUTH_STRING="$(cat {shown(prefect.home / "ui-password")})"',
    ]


def next_steps(cloud: LocalCloud, prefect: PrefectStack) -> list[str]:
    """Commands and places for somebody who has seen the runs."""
    is_default = cloud.state.path == REPOSITORY / DEFAULT_STATE_DIR
    state = "" if is_default else f" --state-dir {shown(cloud.state.path)}"
    return [
        f"{prefect.ui_url}/deployments  run a deployment from its form",
        "prefect deployment run glue-job/glue-job --params "
        """'{"job_name": "AirflowBlogJob", "strategy": "random"}'""",
        f"python -m localcloud fault{state} aws  the faults that AWS can simulate",
        f"python -m localcloud dashboard{state}  a new link to the Flink dashboard",
        "docs/tutorial/next.md  failovers, updates and kills, step by step",
    ]


def shown(path: Path) -> str:
    """A path as a word of a shell."""
    return shlex.quote(str(path))
