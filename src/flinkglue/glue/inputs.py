"""What a person types, checked before any call. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any

from pydantic import StringConstraints

from flinkglue import addresses
from flinkglue.errors import InvalidInput
from flinkglue.form_schema import InWords
from flinkglue.form_types import Matched, checked
from flinkglue.glue.models import OWN_ARGUMENTS
from flinkglue.texts import is_plain, repeated

MOST_CHARACTERS = 255

ACCOUNT_ALLOWED = "an AWS account's number of 12 digits"
AccountId = Annotated[str, Matched(r"^(\d{12})?$", ACCOUNT_ALLOWED)]
"""An AWS account's number; empty, as a form may send it, is none."""

JobName = Annotated[
    str,
    StringConstraints(strip_whitespace=True),
    checked(partial(addresses.name, most=MOST_CHARACTERS)),
    InWords(r"\S", "a name that is not blank"),
]
"""The name of a Glue job. Blanks around it came along when it was copied."""

FUNCTION_PATTERN = r"^([A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*)?$"
FUNCTION_ALLOWED = "module:function, for example nearest.by_region:order"
StrategyFunction = Annotated[
    str,
    StringConstraints(max_length=MOST_CHARACTERS),
    Matched(FUNCTION_PATTERN, FUNCTION_ALLOWED),
]
"""A strategy of a person's own, as ``module:function``; empty is none."""

GLUES_OWN_ARGUMENTS = ("--debug", "--endpoint", "--JOB_NAME", "--mode")
"""Names that Glue uses itself and documents as never to be set; --conf is not among them any more.

https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-glue-arguments.html
"""

FLAGS = "--enable-"
"""How Glue's own switches begin, of which some are documented as names without a value."""

_ONE_NAME = (
    f"one name per item of the list: at most {MOST_CHARACTERS} visible characters and no comma"
)


def parse_connection_names(
    connection_names: Sequence[str] | str | None, strategy_name: str = ""
) -> list[str] | None:
    """The names, from a list or from the published comma-separated string.

    None, or an empty text or list, stands for those that the job has; a person's own order is not
    among them, as each run writes another one.

    Raises:
        InvalidInput: One is blank, there twice, or no name of a connection; or there is none for a
            strategy that goes by their order.
    """
    if not connection_names or (isinstance(connection_names, str) and connection_names.isspace()):
        if strategy_name == "preferred":
            allowed = "names for strategy preferred, in order"
            raise InvalidInput("connection_names", connection_names, allowed)
        return None
    given = connection_names.split(",") if isinstance(connection_names, str) else connection_names
    names = [name.strip() for name in given]
    for place, name in enumerate(names):
        if not name:
            raise InvalidInput("connection_names", connection_names, _blank(names, place))
        if "," in name or len(name) > MOST_CHARACTERS or not is_plain(name):
            raise InvalidInput("connection_names", name, _ONE_NAME)
    if doubles := repeated(names):
        raise InvalidInput(
            "connection_names", connection_names, f"each name once; twice: {', '.join(doubles)}"
        )
    return names


def _blank(names: Sequence[str], place: int) -> str:
    where = f"the one after {names[place - 1]!r}" if place else "the first one"
    return f"no blank names; {where} is blank"


def check_arguments(arguments: Mapping[str, str], field: str = "arguments") -> None:
    """Refuse job arguments that Glue or this project would not take.

    Args:
        arguments: By name; their values are not checked.
        field: The parameter that they come from, for the error.

    Raises:
        InvalidInput: A name does not start with two dashes, has blanks around it, or is set by this
            project or by Glue itself; or a value is empty.
    """
    for name, value in arguments.items():
        if not value and not name.startswith(FLAGS):
            raise InvalidInput(
                field,
                name,
                "arguments with a value: of an empty one Glue passes the name alone, and a script "
                "takes the next argument for its value. Leave it out, or write what the script "
                f"takes for empty. Only names that begin with {FLAGS} may have none",
            )
        if name in OWN_ARGUMENTS:
            raise InvalidInput(field, name, "any name that the flow does not set itself")
        if name in GLUES_OWN_ARGUMENTS:
            glues = ", ".join(GLUES_OWN_ARGUMENTS)
            raise InvalidInput(field, name, f"any name that Glue does not set itself: {glues}")
        bare = name.removeprefix("--")
        if not bare or bare == name or name != name.strip() or not is_plain(name):
            raise InvalidInput(field, name, "names that start with --, for example --date")


def argument_values(arguments: Mapping[str, Any]) -> dict[str, str]:
    """Job arguments as Glue takes them, which is as texts.

    A text stays as it is, true and false are written so, numbers as JSON writes them, lists and
    objects as JSON. One that is null is left out: a job's own value for it counts then.

    Raises:
        InvalidInput: A number is infinite or not a number.
    """
    return {name: _text(name, value) for name, value in arguments.items() if value is not None}


def _text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, allow_nan=False, ensure_ascii=False)
    except (ValueError, TypeError, RecursionError) as error:
        allowed = "a text, true or false, a finite number, or a list or object of these"
        raise InvalidInput(f"arguments[{name}]", type(value).__name__, allowed) from error


def check_secret_arguments(
    secret_arguments: Mapping[str, str], arguments: Mapping[str, str]
) -> None:
    """The same for arguments whose values are kept elsewhere.

    Raises:
        InvalidInput: As for other arguments; or a name is among these, too.
    """
    check_arguments(secret_arguments, "secret_arguments")
    if doubles := sorted(secret_arguments.keys() & arguments.keys()):
        raise InvalidInput(
            "secret_arguments", ", ".join(doubles), "names that are not in arguments as well"
        )
