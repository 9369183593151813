"""Blocks. Their secrets come from the environment of this process and are shown nowhere."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prefect.blocks.core import Block
from prefect.utilities.names import obfuscate
from pydantic import ValidationError

from flinkglue.blocks.hidden_input import faults_in_words
from flinkglue.errors import CallFailed, InvalidInput
from infra.blocks import BLOCK_TYPES
from infra.setup.fields import ABSENT, FieldChange, Fields
from infra.setup.kinds.kind import Kind, Observed
from infra.setup.server import Server

_HIDDEN = obfuscate(None)
"""What the API has for a secret that it does not show, and some forms have saved for one."""
ENVIRONMENT, BLOCK = "env", "block"
"""A value is ``{env: NAME}``, a variable of this process, or ``{block: TYPE/NAME}``."""


class Blocks(Kind):
    """Blocks by TYPE/NAME, in the order of the file; one that is referred to comes first."""

    noun = "block"

    def __init__(self, server: Server, blocks: Mapping[str, Mapping[str, Any]]) -> None:
        self._server = server
        self._kinds = {name: kind_of(_savable(name)) for name in blocks}
        self._secret = {
            name: secret_fields(self._kinds[name])
            | {field for field, value in given.items() if _is_of_environment(value)}
            for name, given in blocks.items()
        }
        self._desired = _in_order(
            {name: checked(name, self._kinds[name], given) for name, given in blocks.items()}
        )

    def desired(self) -> Mapping[str, Fields]:
        return self._desired

    def secret(self, name: str) -> frozenset[str]:
        return self._secret.get(name, frozenset())

    def observe(self, name: str) -> Observed | None:
        raw = self._server.block(name, include_secrets=True)
        return None if raw is None else Observed(dict(_flat(raw)), raw)

    def check(self, name: str, observed: Observed | None, changes: Sequence[FieldChange]) -> None:
        if observed is not None and not changes:
            return
        for field, value in self._desired[name].items():
            other = _reference(value)
            if other and other not in self._desired and self._server.block(other) is None:
                allowed = "the TYPE/NAME of a block of the file, or of a saved one"
                raise InvalidInput(f"blocks.{name}.{field}", other, allowed)
        written = {each.path for each in changes}
        for field, value in (observed.fields if observed else {}).items():
            if field not in written and _is_hidden(value):
                raise InvalidInput(
                    f"blocks.{name}.{field}",
                    _HIDDEN,
                    "a secret: saving the block would write these over it. Name it in the file, or "
                    "use a PREFECT_API_KEY that may read secrets",
                )

    def create(self, name: str, fields: Fields) -> None:
        self._save(name, fields)

    def update(self, name: str, observed: Observed, changes: Sequence[FieldChange]) -> None:
        after = {each.path: each.after for each in changes}
        merged = {**observed.fields, **after}
        self._save(name, {path: each for path, each in merged.items() if each is not ABSENT})

    def delete(self, name: str) -> None:
        if observed := self.observe(name):
            self._server.delete("/block_documents/{}", observed.raw["id"])

    def _save(self, name: str, fields: Fields) -> None:
        values = {path: self._loaded(value) for path, value in fields.items()}
        try:
            self._kinds[name].model_validate(values).save(name.partition("/")[2], overwrite=True)
        except ValidationError as error:
            raise InvalidInput(f"blocks.{name}", name, faults_in_words(error)) from None
        except (ValueError, RuntimeError) as error:
            raise CallFailed("Prefect", "save a block", name, type(error).__name__) from None

    def _loaded(self, value: Any) -> Any:
        reference = _reference(value)
        if reference is None:
            return value
        loaded = kind_of(reference).load(reference.partition("/")[2])
        assert isinstance(loaded, Block), "Prefect returns the block itself, outside of async"
        return loaded


def _in_order(blocks: Mapping[str, Fields]) -> dict[str, Fields]:
    """The same, each after those of them that it refers to."""
    ordered: dict[str, Fields] = {}

    def place(name: str, above: frozenset[str]) -> None:
        for value in blocks[name].values():
            other = _reference(value)
            if other in blocks and other not in ordered and other not in above:
                place(str(other), above | {name})
        ordered.setdefault(name, blocks[name])

    for name in blocks:
        place(name, frozenset())
    return ordered


def kind_of(name: str) -> type[Block]:
    """The class of a block, of this project or of an installed package.

    Raises:
        InvalidInput: There is none for this type.
    """
    slug, slash, block = name.partition("/")
    ours = {each.get_block_type_slug(): each for each in BLOCK_TYPES}
    if slash and block and "/" not in block:
        try:
            return ours.get(slug) or Block.get_block_class_from_key(slug)
        except Exception as error:
            raise _unknown(name, ours) from error
    raise _unknown(name, ours)


def _savable(name: str) -> str:
    """The name, if the API takes it for a block that is saved.

    Raises:
        InvalidInput: It does not.
    """
    if re.fullmatch("[a-z0-9-]+", name.partition("/")[2]) is None:
        allowed = "TYPE/NAME, with a NAME of lowercase letters, digits and dashes"
        raise InvalidInput(f"blocks.{name}", name, allowed)
    return name


def _unknown(name: str, ours: Mapping[str, Any]) -> InvalidInput:
    allowed = f"TYPE/NAME with one of the types {', '.join(sorted(ours))}, or of a package"
    return InvalidInput(f"blocks.{name}", name, allowed)


def checked(name: str, kind: type[Block], given: Mapping[str, Any]) -> Fields:
    """The fields as the API stores them.

    Raises:
        InvalidInput: A field is not valid, a secret is in the file, or a variable is not set.
    """
    secret = secret_fields(kind)
    plain: dict[str, Any] = {}
    references: dict[str, Any] = {}
    for field, value in given.items():
        where = f"blocks.{name}.{field}"
        if field not in kind.model_fields:
            known = ", ".join(each for each in kind.model_fields)
            raise InvalidInput(where, field, f"one of {known}")
        if _reference(value) is not None:
            kind_of(value[BLOCK])
            references[field] = {BLOCK: value[BLOCK]}
        elif _is_of_environment(value):
            plain[field] = _of_environment(where, str(value[ENVIRONMENT]))
        elif field in secret:
            raise InvalidInput(
                where,
                "(not shown)",
                "{env: NAME} with the name of a variable: secrets do not belong in a file",
            )
        else:
            plain[field] = value
    stored = dict(_stored(name, kind, plain, references))
    return stored | references


def _stored(
    name: str, kind: type[Block], plain: Mapping[str, Any], references: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    try:
        made = kind.model_validate({**plain, **dict.fromkeys(references)})
    except ValidationError as error:
        wrong = [
            each
            for each in error.errors()
            if each["loc"][:1] != () and each["loc"][0] not in references
        ]
        if wrong or not references:
            raise InvalidInput(f"blocks.{name}", name, faults_in_words(error)) from None
        yield from plain.items()  # the block it refers to is not there yet
        return
    dumped = made.model_dump(mode="json", context={"include_secrets": True})
    for field in plain:
        yield field, dumped[field]


def _of_environment(field: str, variable: str) -> str:
    if not (value := os.environ.get(variable, "")):
        raise InvalidInput(field, variable, "the name of an environment variable that is set")
    return value


def secret_fields(kind: type[Block]) -> frozenset[str]:
    """The fields that hold a secret, or hold something that does."""
    named = kind.model_json_schema().get("secret_fields", [])
    return frozenset(str(each).partition(".")[0] for each in named)


def _is_of_environment(value: Any) -> bool:
    return isinstance(value, Mapping) and value.keys() == {ENVIRONMENT}


def _is_hidden(value: Any) -> bool:
    """Whether it is a secret that the API does not show, or has one within it."""
    if isinstance(value, Mapping):
        return any(_is_hidden(each) for each in value.values())
    return bool(value == _HIDDEN)


def _reference(value: Any) -> str | None:
    is_one = isinstance(value, Mapping) and value.keys() == {BLOCK}
    return str(value[BLOCK]) if is_one else None


def _flat(raw: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    references = raw.get("block_document_references") or {}
    for field, value in raw["data"].items():
        if field in references:
            document = references[field]["block_document"]
            yield field, {BLOCK: f"{document['block_type']['slug']}/{document['name']}"}
        else:
            yield field, value
