"""Block types, so that the UI offers them and blocks of them can be saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prefect.blocks.core import Block

from infra.blocks import BLOCK_TYPES
from infra.setup.fields import FieldChange, Fields
from infra.setup.kinds.kind import Kind, Observed
from infra.setup.server import Server


class BlockTypes(Kind):
    """The block types of this project, with the schemas that the code has now."""

    noun = "block type"
    of_code = frozenset({"schema"})

    def __init__(self, server: Server) -> None:
        self._server = server
        self._types = {each.get_block_type_slug(): each for each in BLOCK_TYPES}
        self._desired = {
            slug: {"schema": kind._calculate_schema_checksum()}
            for slug, kind in self._types.items()
        }

    def desired(self) -> Mapping[str, Fields]:
        return self._desired

    def observe(self, name: str) -> Observed | None:
        found = self._server.get("/block_types/slug/{}", name)
        if found is None:
            return None
        checksum = self._desired[name]["schema"] if name in self._desired else ""
        schema = self._server.get("/block_schemas/checksum/{}", checksum)
        return Observed({"schema": checksum if schema else "another"}, found)

    def create(self, name: str, fields: Fields) -> None:
        self._register(self._types[name])

    def update(self, name: str, observed: Observed, changes: Sequence[FieldChange]) -> None:
        self._register(self._types[name])

    def delete(self, name: str) -> None:
        if observed := self.observe(name):
            self._server.delete("/block_types/{}", observed.raw["id"])

    def is_in_use(self, name: str) -> str:
        blocks = self._server.get("/block_types/slug/{}/block_documents", name) or []
        return f"block {name}/{blocks[0]['name']}" if blocks else ""

    def _register(self, kind: type[Block]) -> None:
        kind.register_type_and_schema()
