"""What options of commands take: the same checks as in forms, and argparse names the option."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Annotated, Any, NoReturn, TypeVar

from pydantic import TypeAdapter, ValidationError

from flinkglue import addresses
from flinkglue.errors import InvalidInput
from flinkglue.form_types import checked
from flinkglue.texts import is_plain, one_line, repeated, without_credentials

T = TypeVar("T", bound=StrEnum)

_DASHES = "--"
_STANDS_FOR_DASHES = "\N{OBJECT REPLACEMENT CHARACTER}dashes"


def matching(pattern: str, words: str) -> Callable[[str, str], str]:
    """A check against a pattern, told in words."""

    def match(field: str, given: str) -> str:
        if re.fullmatch(pattern, given) is None or not is_plain(given):
            raise InvalidInput(field, given, words)
        return given

    return match


def _flow_and_name(field: str, given: str) -> str:
    return addresses.name(field, matching(r"[^/]+/[^/]+", "FLOW/NAME")(field, given))


DeploymentName = Annotated[str, checked(_flow_and_name)]


def check_once(field: str, names: Sequence[str]) -> None:
    """Refuse an option that is repeated for one name: either value may be the one that is meant.

    Raises:
        InvalidInput: A name is there twice.
    """
    if doubles := repeated(names):
        raise InvalidInput(field, doubles[0], "each name once")


def one_of(kind: type[T]) -> Callable[[str], T]:
    """A check for an option that is one of an enumeration, in any case."""

    def chosen(given: str) -> T:
        for each in kind:
            if each.value.lower() == given.lower():
                return each
        allowed = ", ".join(each.value for each in kind)
        raise argparse.ArgumentTypeError(f"{one_line(given)!r} is not accepted. Allowed: {allowed}")

    return chosen


Region = Annotated[str, checked(matching(r"[a-z]{2,}(-[a-z0-9]+)+", "for example us-east-1"))]


def of_type(kind: Any) -> Callable[[str], Any]:
    """A check for an option from a type of a form.

    Args:
        kind: The type, for example ``flinkglue.quantities.Seconds``.
    """
    adapter = TypeAdapter[Any](kind)

    def checked(given: str) -> Any:
        try:
            return adapter.validate_python(given)
        except ValidationError as error:
            said = (each["msg"] for each in error.errors(include_input=False))
            told = "; ".join(each.removeprefix("Value error, ") for each in said)
        raise argparse.ArgumentTypeError(told)

    return checked


class Command(argparse.ArgumentParser):
    """A command line whose errors are one harmless line, without credentials, and exit code 2.

    ``--option=--`` reaches the options in `passes_dashes`; argparse itself drops the two dashes and
    then fails (bpo-14364), so for every other option they are refused here.
    """

    passes_dashes: frozenset[str] = frozenset()

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As argparse does."""
        self._check_defaults()
        given = [self._guarded(word) for word in (sys.argv[1:] if args is None else args)]
        parsed, rest = super().parse_known_args(given, namespace)
        for name, value in vars(parsed).items():
            if value == [] and name in self._single():  # so argparse reads -- -- there
                self.error(f"argument {name}: needs a value, not --")
            setattr(parsed, name, _with_dashes(value))
        return parsed, rest

    def error(self, message: str) -> NoReturn:
        """Exit code 2."""
        super().error(one_line(without_credentials(message)))

    def _check_defaults(self) -> None:
        """argparse checks a default that is a text when the option is not given, and refuses it."""
        for each in self._actions:
            if isinstance(each.default, str) and callable(each.type):
                each.type(each.default)

    def _single(self) -> set[str]:
        return {each.dest for each in self._actions if each.nargs is None}

    def _guarded(self, word: str) -> str:
        option, equals, value = word.partition("=")
        if not (option.startswith(_DASHES) and equals and value == _DASHES):
            return word
        if option not in self.passes_dashes:
            self.error(f"argument {option}: needs a value, not --")
        return f"{option}={_STANDS_FOR_DASHES}"


def _with_dashes(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_dashes(each) for each in value]
    return _DASHES if value == _STANDS_FOR_DASHES else value
