"""Odd input at every door: flows' parameters, blocks' fields, options of commands.

    python -m benchmarks.inputs [--count 20000] [--seed N]

The rule: it is refused by the name of what it was given for, before any call, or it is handled.
Everything else - an error of Python, of httpx, of a codec; a refusal that names nothing; a text
with control characters that is taken for a name - is a finding. The tests try some hundreds.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import random
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect.exceptions import ParameterTypeError
from prefect.flows import Flow
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_SERVER_ALLOW_EPHEMERAL_MODE,
    temporary_settings,
)
from pydantic import BaseModel, ValidationError

from benchmarks.doors.input_doors import BLOCKS, COMMANDS, FLOWS, Door, use_block
from benchmarks.doors.odd_inputs import odd_value
from flinkglue.errors import InvalidInput
from flinkglue.texts import is_plain

NO_SERVER = "No Prefect API URL provided"
"""What the first call of every flow ends with here, which is as far as the input goes."""

_TAKEN = "it was taken"
_FREE = (
    "--arg",
    "--conf",
    "args",
    "arguments",
    "flink_configuration",
    "tags",
    "reader",
    "credentials",
    "definition",
)
"""Where any text, or unknown field, is as good as another; pages and logs write it out."""


@dataclass(frozen=True)
class Finding:
    """Input that ended in something internal, or was refused without its name."""

    door: str
    given: str
    ended: str

    def __str__(self) -> str:
        return f"{self.door} {self.given}: {self.ended}"


def try_inputs(count: int, seed: int) -> Iterator[Finding]:
    """Try so many odd inputs, each at one place of one door.

    Args:
        count: How many.
        seed: The same seed tries the same.
    """
    rng = random.Random(seed)
    doors: list[tuple[Callable[[Any, str, Any], str | None], Any, list[str]]] = [
        *((_try_flow, door, sorted(door.names)) for door in FLOWS),
        *((_try_block, door, sorted(door.names)) for door in BLOCKS),
        *((_try_command, door, sorted(door.names)) for door in COMMANDS),
    ]
    places = [(tried, door, name) for tried, door, names in doors for name in names]
    settings = {PREFECT_API_URL: None, PREFECT_SERVER_ALLOW_EPHEMERAL_MODE: False}
    with (
        temporary_settings(settings),
        _quiet(),
        tempfile.TemporaryDirectory() as directory,
        contextlib.chdir(directory),
    ):
        for number in range(count):
            tried, door, name = places[number % len(places)]
            value = odd_value(rng, only_text=tried is _try_command)
            ended = tried(door, name, value)
            if ended is _TAKEN:
                ended = None if name in _FREE or _shows_itself(value) else "taken as a name"
            if ended:
                yield Finding(door.title, f"{name}={value!r:.120}", ended)


def _try_flow(door: Door[Flow[Any, Any]], name: str, value: Any) -> str | None:
    try:
        parameters = door.kind.validate_parameters(door.good | {name: value})
        door.kind.fn(**{**door.defaults, **parameters})
    except ParameterTypeError as error:
        return None if name in str(error) else f"refused without its name: {error}"
    except InvalidInput as error:
        return _unless_named(name, error)
    except Exception as error:  # noqa: BLE001 - what else it may be is the question
        return _TAKEN if NO_SERVER in str(error) else _internal(error)
    return "it went on without a call"


def _try_block(door: Door[type[BaseModel]], name: str, value: Any) -> str | None:
    try:
        use_block(door.kind(**door.good | {name: value}))
    except ValidationError as error:
        return None if name in str(error) else f"refused without its name: {error}"
    except InvalidInput as error:
        return _unless_named(name, error)
    except Exception as error:  # noqa: BLE001
        return _internal(error)
    return _TAKEN


def _try_command(door: Door[Callable[[list[str]], int]], name: str, value: str) -> str | None:
    said = io.StringIO()
    line = door.line(name, value)
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            code = door.kind(line)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except Exception as error:  # noqa: BLE001
        return _internal(error)
    told = said.getvalue()
    if any(not (each.isprintable() or each == "\n") for each in told):
        return f"it was shown as it is: {told!r}"
    if code == 0:
        return _TAKEN
    named = {name, name.strip("-"), name.strip("-").replace("-", "_")}
    if code == 2 and any(each in told.rpartition("error: ")[2] for each in named):
        return None
    return f"exit code {code}: {told[-300:]!r}"


def _shows_itself(value: Any) -> bool:
    """Whether all texts in it are lines without control or invisible characters."""
    if isinstance(value, str):
        return is_plain(value.strip())  # blanks around are taken away
    if isinstance(value, dict):
        return all(map(_shows_itself, [*value, *value.values()]))
    return all(map(_shows_itself, value)) if isinstance(value, list) else True


def _unless_named(name: str, error: InvalidInput) -> str | None:
    return None if name in str(error) else f"{error.field} is blamed: {error}"


def _internal(error: Exception) -> str:
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error!s:.200} ({Path(where.filename).name}:{where.lineno})"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Prefect logs each refusal."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def main(arguments: list[str] | None = None) -> int:
    """Print the findings; 1 when there are any."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inputs", description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 31))
    chosen = parser.parse_args(arguments)
    print(f"{chosen.count} inputs, seed {chosen.seed}", flush=True)
    found = 0
    for finding in try_inputs(chosen.count, chosen.seed):
        found += 1
        print(ascii(str(finding)), flush=True)
    print(f"{found} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
