"""The page of events, from the kinds that the emitters emit through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flinkglue.prefect.pages.event_kinds import EVENTS, EventKind
from scripts.site.tables import cell

_HEAD = """\
# Events

Made from the code when this site is built. Automations act on these;
[Notifications](../how-to/notifications.md) has ready ones. Each event carries its flow run. Its
resource is `glue-job.<job name>`, `glue-connection.<connection name>`, `flink-job.<job name>` or
`silent-flow-run.<flow run id>`; events of a Glue job name the connections involved as related
resources. A field *in some* is in the payload only where it is known.

| event | emitted when | payload |
|---|---|---|
"""


def events_page() -> str:
    """The page as Markdown."""
    rows = [
        f"| `{kind.name}` | {cell(kind.when)} | {', '.join(_fields(kind))} |"
        for kind in sorted(EVENTS, key=lambda kind: kind.name)
    ]
    return _HEAD + "\n".join(rows) + "\n"


def _fields(kind: EventKind[Any]) -> Iterator[str]:
    for name, within in kind.fields.items():
        shown = f"`{name}`" + (" *(in some)*" if name in kind.optional_fields else "")
        yield f"{shown} ({', '.join(f'`{each}`' for each in within)})" if within else shown
