"""From what stands in a run's parameters to a block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from prefect.blocks.core import Block
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound
from pydantic import ValidationError

from flinkglue import addresses
from flinkglue.blocks.hidden_input import faults_in_words
from flinkglue.errors import InvalidInput
from flinkglue.prefect.kept_readings import kept

B = TypeVar("B", bound=Block)


def type_named(known: Mapping[str, type[B]], field: str, value: str, slug: str) -> type[B]:
    """The kind of block that ``type/name`` means, of those known by their slugs.

    Args:
        slug: The kind, as the value has it or means it.

    Raises:
        InvalidInput: There is no such kind, or the name is empty.
    """
    if slug not in known or not value.rpartition("/")[2]:
        allowed = " or ".join(f"{each}/name" for each in known)
        raise InvalidInput(field, value, f"{allowed}, with the name of a saved block")
    return known[slug]


def block_of(
    block_type: type[B], field: str, value: B | str, *, shared_for_a_minute: bool = False
) -> B:
    """The block that a parameter means, as it is saved now.

    Args:
        field: The parameter's name, for the error.
        value: A block, or the name of a saved one.
        shared_for_a_minute: Whether flow runs that are threads of one worker read it once a minute.
            For the credentials of a service only: a change of what is run, or of a secret that a
            run gets, counts at once, and no worker keeps its value.

    Raises:
        InvalidInput: There is no block of that kind and name; the error lists those that exist. Or
            a field of it is not valid; the error names the field, without its value.
    """
    if isinstance(value, block_type):
        return value
    addresses.name(field, str(value))
    slug = block_type.get_block_type_slug()
    name = str(value).removeprefix(f"{slug}/")

    def load() -> object:
        return block_type.load(name)

    try:
        loaded = kept((slug, name), load) if shared_for_a_minute else load()
        assert isinstance(loaded, block_type), "Prefect returns the block itself, outside of async"
        return loaded
    except ValueError as error:
        if not isinstance(error.__cause__, ObjectNotFound):
            raise
        why = None
    except RuntimeError as error:  # so Prefect tells of fields that are not valid, and shows them
        if not isinstance(error.__cause__, ValidationError):
            raise
        why = faults_in_words(error.__cause__)
    if why is None:
        raise InvalidInput(field, value, f"the name of a saved {slug} block: {_saved(slug)}")
    raise InvalidInput(field, f"{slug}/{name}", f"a valid block; correct {why}")


def _saved(slug: str) -> str:
    with get_client(sync_client=True) as prefect:
        names = {document.name for document in prefect.read_block_documents_by_type(slug)}
    return ", ".join(sorted(name for name in names if name)) or "none is saved yet"
