"""What a person types, checked before any call. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flinkglue.errors import InvalidInput
from flinkglue.glue.models import CONNECTION_ARGUMENT, RUN_KEY_ARGUMENT

MOST_CHARACTERS = 255
_ONE_NAME = f"one name per item of the list: at most {MOST_CHARACTERS} characters and no comma"


def parse_connection_names(connection_names: Sequence[str] | str) -> list[str]:
    """The names, from a list or from the published comma-separated string.

    Raises:
        InvalidInput: There is none, or one is blank, there twice, or no name of a connection.
    """
    given = connection_names.split(",") if isinstance(connection_names, str) else connection_names
    names = [name.strip() for name in given]
    if not names:
        raise InvalidInput("connection_names", connection_names, "at least one name")
    for place, name in enumerate(names):
        if not name:
            raise InvalidInput("connection_names", connection_names, _blank(names, place))
        if "," in name or len(name) > MOST_CHARACTERS:
            raise InvalidInput("connection_names", name, _ONE_NAME)
    if doubles := sorted({name for name in names if names.count(name) > 1}):
        raise InvalidInput(
            "connection_names", connection_names, f"each name once; twice: {', '.join(doubles)}"
        )
    return names


def _blank(names: Sequence[str], place: int) -> str:
    where = f"the one after {names[place - 1]!r}" if place else "the first one"
    return f"no blank names; {where} is blank"


def check_arguments(arguments: Mapping[str, str]) -> None:
    """Refuse job arguments that Glue or this project would not take.

    Raises:
        InvalidInput: A name does not start with two dashes, or is set by this project.
    """
    for name in arguments:
        if name in (RUN_KEY_ARGUMENT, CONNECTION_ARGUMENT):
            raise InvalidInput("arguments", name, "any name but those that the flow sets itself")
        if not name.startswith("--") or len(name) < 3:
            raise InvalidInput("arguments", name, "names that start with --, for example --date")
