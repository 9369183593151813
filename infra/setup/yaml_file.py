"""YAML as people write the files of the set-up: each key once, dates and times as text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from flinkglue.errors import InvalidInput

_PREFIX = "tag:yaml.org,2002:"
_MERGE, _TEXT, _DATE = (f"{_PREFIX}{kind}" for kind in ("merge", "str", "timestamp"))
_NUMBERS = frozenset({f"{_PREFIX}int", f"{_PREFIX}float"})
_NO_NUMBER = re.compile(r":|\.(inf|nan)$", re.IGNORECASE)


class RepeatedKey(yaml.MarkedYAMLError):
    """A mapping has a key twice, of which YAML would drop the first without a word."""


class _Loader(yaml.SafeLoader):
    """What YAML 1.1 reads as a date, as 22:30 (to the base of 60), .inf or .nan, stays text.

    The Prefect API takes JSON, which has none of them.
    """

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        """The type of a value that is written without one."""
        tag = super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]
        if kind is not yaml.ScalarNode or tag not in {_DATE, *_NUMBERS}:
            return tag
        return _TEXT if tag == _DATE or _NO_NUMBER.search(value) else tag


def read_yaml_file(field: str, path: Path) -> Any:
    """The one document in a file; None: it is empty.

    Args:
        field: What it is called in the refusal.

    Raises:
        InvalidInput: The file cannot be read, is no YAML, or has a key twice. Nothing of it is
            repeated: it may be a secret in the wrong place.
    """
    try:
        return _read(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(field, str(path), f"a file: {error}") from error
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        once = " that has each key once" if isinstance(error, RepeatedKey) else ""
        where = "" if line is None else f"; see line {line + 1}"
        raise InvalidInput(field, str(path), f"a YAML file{once}{where}") from None


def _read(text: str) -> Any:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _refuse_repeated(node)
        return loader.construct_document(node)  # type: ignore[no-untyped-call]
    finally:
        loader.dispose()  # type: ignore[no-untyped-call]


def _refuse_repeated(root: yaml.Node) -> None:
    """Before anything is constructed, which puts the keys of merged mappings into one."""
    waiting, known = [root], {id(root)}
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.MappingNode):
            _refuse_repeated_in(node)
            inner = [each for pair in node.value for each in pair]
        else:
            inner = node.value if isinstance(node, yaml.SequenceNode) else []
        for each in inner:
            if id(each) not in known:  # an alias leads to what was there before
                known.add(id(each))
                waiting.append(each)


def _refuse_repeated_in(node: yaml.MappingNode) -> None:
    keys = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
            continue
        if (key.tag, key.value) in keys:
            raise RepeatedKey(problem=f"{key.value} is there twice", problem_mark=key.start_mark)
        keys.add((key.tag, key.value))
