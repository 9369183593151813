"""Global concurrency limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from infra.setup.environment import GlobalLimit
from infra.setup.fields import ABSENT, FieldChange, Fields
from infra.setup.kinds.kind import Kind, Observed
from infra.setup.server import Server

_FIELDS = ("limit", "active", "slot_decay_per_second")


class Limits(Kind):
    """Global concurrency limits."""

    noun = "concurrency limit"

    def __init__(self, server: Server, limits: Mapping[str, GlobalLimit]) -> None:
        self._server = server
        self._limits = limits

    def desired(self) -> Mapping[str, Fields]:
        return {name: each.model_dump() for name, each in self._limits.items()}

    def observe(self, name: str) -> Observed | None:
        raw = self._server.get("/v2/concurrency_limits/{}", name)
        return None if raw is None else Observed({each: raw[each] for each in _FIELDS}, raw)

    def create(self, name: str, fields: Fields) -> None:
        self._server.post("/v2/concurrency_limits/", body={"name": name, **fields})

    def update(self, name: str, observed: Observed, changes: Sequence[FieldChange]) -> None:
        changed = {each.path: each.after for each in changes if each.after is not ABSENT}
        self._server.patch("/v2/concurrency_limits/{}", name, body=changed)

    def delete(self, name: str) -> None:
        self._server.delete("/v2/concurrency_limits/{}", name)
