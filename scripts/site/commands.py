"""The page of commands, from the help that they print."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import re
from collections.abc import Iterator
from functools import cache

MODULES = {
    "infra.setup": "infra.setup.__main__",
    "infra.blocks": "infra.blocks",
    "infra.flink_action": "infra.flink_action",
    "infra.glue_run": "infra.glue_run",
    "infra.glue_deploy": "infra.glue_deploy",
    "infra.glue_sample": "infra.glue_sample",
    "infra.advisories": "infra.advisories",
    "localcloud": "localcloud.__main__",
    "scripts.demo_run": "scripts.demo_run",
    "scripts.serve_prefect": "scripts.serve_prefect",
}
"""What follows `python -m`, and the module that has its main()."""
_HEAD = """\
# Command line

The help of each command, as it prints it. Run them in the checkout with its environment active:
`. .venv/bin/activate`. `scripts/demo` is `python -m scripts.demo_run` in an environment that it
makes itself.
"""
_THIS_MACHINE = re.compile(r"/\S*(?=\.localcloud|\.cache)")


def commands_page() -> str:
    """The page as Markdown."""
    return "\n".join([_HEAD, *(text for name in MODULES for text in _command(name))])


def _command(name: str) -> Iterator[str]:
    yield f"## python -m {name}\n"
    yield f"```text\n{help_of(name)}```\n"
    for verb in verbs_of(name):
        yield f"### {name} {verb}\n"
        yield f"```text\n{help_of(name, verb)}```\n"


@cache
def help_of(name: str, *verbs: str) -> str:
    """What ``python -m NAME VERB --help`` prints."""
    main = importlib.import_module(MODULES[name]).main
    printed = io.StringIO()
    width = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "100"
    try:
        with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
            main([*verbs, "--help"])
    finally:
        if width is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = width
    return _THIS_MACHINE.sub("", printed.getvalue())


@cache
def verbs_of(name: str) -> list[str]:
    """The commands within a command that have a help of their own."""
    shown = help_of(name)
    listed = re.search(r"^(?:commands|positional arguments):\n(.*?)(?:\n\n|\Z)", shown, re.M | re.S)
    verbs = re.findall(r"^ {4}([a-z][\w-]*)(?: |$)", listed[1], re.M) if listed else []
    return [verb for verb in verbs if f"{verb} [-h]" in help_of(name, verb)]
