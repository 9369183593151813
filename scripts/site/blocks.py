"""The page of blocks, from their types."""

from __future__ import annotations

from collections.abc import Iterator

from prefect.blocks.core import Block

from infra.blocks import BLOCK_TYPES
from scripts.site.tables import fields_table, models_tables

_HEAD = """\
# Blocks

Made from the code when this site is built. `python -m infra.blocks register` registers the types
with a Prefect server; fill them in under *Blocks* in the UI. Values marked *secret* are stored
encrypted and never shown.
"""


def blocks_page() -> str:
    """The page as Markdown."""
    sections = [text for block_type in BLOCK_TYPES for text in _block(block_type)]
    return "\n\n".join([_HEAD, *sections]) + "\n"


def _block(block_type: type[Block]) -> Iterator[str]:
    schema = block_type.model_json_schema()
    definitions = {**schema.get("$defs", {}), **schema.get("definitions", {})}
    slug = block_type.get_block_type_slug()
    yield f"## {block_type.get_block_type_name()}"
    yield f"`{slug}/NAME`"
    if description := block_type.get_description():
        yield description.partition("\n\nArgs:")[0]
    yield fields_table(schema, definitions, slug)
    yield from models_tables(schema, definitions, slug)
