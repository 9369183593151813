"""The page of events, from the calls that emit them and the conditions that name them."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import get_args

from flinkglue.glue.monitoring.health import Condition
from flinkglue.glue.monitoring.sweep import RunCondition
from flinkglue.lifecycle.health.judgement import Verdict
from flinkglue.prefect.store.silent_flow_runs import FOUND
from scripts.site.tables import cell

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("src/flinkglue", "tasks", "flows")
CONSTANTS = {"FOUND": FOUND}
NOTIFICATIONS = ROOT / "docs" / "how-to" / "notifications.md"
PREFIX = "glue-job."
"""What `_emit` of the Glue events puts before the name that it is given."""

_HEAD = """\
# Events

Made from the code when this site is built. Automations act on these. Each event carries its flow
run; its resource is `glue-job.<job name>`, `glue-connection.<connection name>`,
`flink-job.<job name>` or the silent flow run.
[Notifications](../how-to/notifications.md) says when each is emitted, and has ready automations.

| event | what it says | payload |
|---|---|---|
"""


@dataclass(frozen=True)
class Event:
    """One event of the code.

    Args:
        name: What automations match.
        meaning: What its emitter or its condition says about it.
        payload: The fields that its emitter names.
    """

    name: str
    meaning: str
    payload: tuple[str, ...]


class Unnamed(LookupError):
    """An event whose name cannot be read from the code: this page would lack it."""


def events_page() -> str:
    """The page as Markdown."""
    written = _when_by_name()
    rows = []
    for name, found in groupby(sorted(all_events(), key=by_name), key=by_name):
        events = list(found)
        meaning = written.get(name) or next((each.meaning for each in events if each.meaning), "")
        fields = dict.fromkeys(field for each in events for field in each.payload)
        shown = ", ".join(f"`{field}`" for field in fields) or "–"
        rows.append(f"| `{name}` | {cell(meaning)} | {shown} |")
    return _HEAD + "\n".join(rows) + "\n"


def by_name(event: Event) -> str:
    return event.name


def _when_by_name() -> dict[str, str]:
    """What the page of notifications says of events, alone or several in a row."""
    section = NOTIFICATIONS.read_text(encoding="utf-8").partition("\n## Events\n")[2]
    found: dict[str, str] = {}
    for names, when in re.findall(r"^\| (`[^|]+) \| ([^|]+) \|", section, re.MULTILINE):
        first, *others = re.findall(r"`([\w.-]+)`", names)
        kind = first.partition(".")[0]
        alone = not others
        for name in (first, *(f"{kind}{each}" for each in others)):
            if alone or kind == "glue-job":
                found[name] = when
    return found


def all_events() -> Iterator[Event]:
    """Every event that the flows emit."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield from events_in(path.read_text(encoding="utf-8"), path.stem)


def events_in(source: str, module: str) -> Iterator[Event]:
    """The events of one module.

    Raises:
        Unnamed: A name is put together in a way that is not known here.
    """
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef):
            continue
        for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
            if (expression := _event_of(call)) is None or ast.unparse(expression) == "PROBE":
                continue  # the probe is of no use to automations
            meaning = (ast.get_docstring(function) or "").partition("\n\n")[0]
            meaning = "" if meaning.startswith("``") else meaning  # it says the names again
            payload = tuple(_payload(call, function))
            for name, said in _names(expression, module, function.name):
                yield Event(name, said or meaning, payload)


def _event_of(call: ast.Call) -> ast.expr | None:
    called = ast.unparse(call.func)
    if called == "emit_event":
        return next((each.value for each in call.keywords if each.arg == "event"), None)
    is_own = called == "_emit" and call.args and not isinstance(call.args[0], ast.Name)
    return call.args[0] if is_own else None


def _names(expression: ast.expr, module: str, function: str) -> Iterator[tuple[str, str]]:
    if isinstance(expression, ast.Constant):
        own = module == "glue_events" and "." not in expression.value
        yield (PREFIX if own else "") + expression.value, ""
    elif isinstance(expression, ast.Name) and expression.id in CONSTANTS:
        yield CONSTANTS[expression.id], ""
    elif isinstance(expression, ast.IfExp):
        yield from _names(expression.body, module, function)
        yield from _names(expression.orelse, module, function)
    elif (module, function) == ("glue_events", "_emit"):
        return  # its callers name the event
    elif (found := CONDITIONS.get((module, function))) is not None:
        yield from found.items()
    else:
        raise Unnamed(f"{module}.{function}: {ast.unparse(expression)}")


def _conditions(prefix: str, conditions: type[StrEnum]) -> Mapping[str, str]:
    """Each condition's event, with the text below it in its class."""
    (body,) = ast.parse(inspect.getsource(conditions)).body
    said: dict[str, str] = {}
    last = ""
    for node in body.body if isinstance(body, ast.ClassDef) else ():
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            last = f"{prefix}{node.value.value.replace(' ', '-')}"
            said[last] = ""
        elif last and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            said[last] = str(node.value.value)
            last = ""
    return said


def _verdicts() -> Mapping[str, str]:
    said = {f"flink-job.{each.__name__.lower()}": _first_line(each) for each in get_args(Verdict)}
    return said | {
        "flink-job.re-launched": "The job had ended, and the watch launched it again.",
        "flink-job.not-judged": "An action on the job is in progress, or it was ended on purpose.",
        "flink-job.not-observed": "The job could not be read.",
    }


def _first_line(kind: type) -> str:
    return (kind.__doc__ or "").partition("\n")[0]


CONDITIONS = {
    ("glue_events", "emit_health"): _conditions("glue-connection.", Condition),
    ("glue_events", "emit_swept_run"): {
        name: said
        for name, said in _conditions("glue-job.", RunCondition).items()
        if not RunCondition(name.removeprefix("glue-job.").replace("-", " ")).is_expected
    },
    ("flink_health", "report_finding"): _verdicts(),
}
"""Emitters that put a condition into the name."""


def _payload(call: ast.Call, function: ast.FunctionDef) -> Iterator[str]:
    """The fields of an event's payload, as far as its emitter names them."""
    given = next((each.value for each in call.keywords if each.arg == "payload"), None)
    if given is None:
        given = call.args[2] if len(call.args) > 2 else None
    if isinstance(given, ast.Name):
        given = next(
            (
                node.value
                for node in ast.walk(function)
                if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == given.id
            ),
            None,
        )
    for key in given.keys if isinstance(given, ast.Dict) else ():
        if isinstance(key, ast.Constant):
            yield str(key.value)
