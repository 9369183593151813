"""Input checked against botocore's model of Glue, in the words of AWS's own validation."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import botocore.session
from botocore.model import ServiceModel, Shape

from localcloud.aws.glue.definitions.job_kinds import WORKERS
from localcloud.aws.glue.errors import GlueError

_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "long": int,
    "double": (int, float),
    "float": (int, float),
    "boolean": bool,
    "structure": dict,
    "map": dict,
    "list": list,
}


@cache
def glue_model() -> ServiceModel:
    """Botocore's model of Glue."""
    return botocore.session.get_session().get_service_model("glue")


def checked_input(operation_name: str, parameters: Any) -> dict[str, Any]:
    """The parameters of a call without the members that the model does not know.

    Unknown members are ignored, as the JSON protocol wants it; so are nulls.

    Raises:
        GlueError: ``ValidationException`` for a value that breaks a constraint of the model,
            ``SerializationException`` for one of a wrong type.
    """
    shape = glue_model().operation_model(operation_name).input_shape
    if not isinstance(parameters, dict) or shape is None:
        raise GlueError("SerializationException", "The request is not a JSON object.")
    known = _known(shape, parameters)
    violations = list(_violations(shape, known, ""))
    if violations:
        count = f"{len(violations)} validation error{'s' if len(violations) > 1 else ''} detected"
        raise GlueError("ValidationException", f"{count}: {'; '.join(violations)}")
    accepted: dict[str, Any] = known
    return accepted


def _known(shape: Shape, value: Any) -> Any:
    expected = _TYPES.get(shape.type_name)
    wrong = expected is not None and not isinstance(value, expected)
    if wrong or (isinstance(value, bool) and shape.type_name != "boolean"):
        found = type(value).__name__
        raise GlueError("SerializationException", f"{found} can not be converted to {shape.name}")
    if shape.type_name == "structure":
        return {
            name: _known(member, value[name])
            for name, member in shape.members.items()
            if value.get(name) is not None
        }
    if shape.type_name == "map":
        return {key: _known(shape.value, item) for key, item in value.items()}
    if shape.type_name == "list":
        return [_known(shape.member, item) for item in value]
    return value


def _violations(shape: Shape, value: Any, path: str) -> Iterator[str]:
    yield from _own_violations(shape, value, path)
    if shape.type_name == "structure":
        for name in shape.required_members:
            if name not in value:
                where = _join(path, name)
                yield _violation("null", where, "Member must not be null", quoted=False)
        for name, item in value.items():
            yield from _violations(shape.members[name], item, _join(path, name))
    elif shape.type_name == "map":
        for key, item in value.items():
            yield from _violations(shape.value, item, f"{path}.{key}.member")
    elif shape.type_name == "list":
        for place, item in enumerate(value, 1):
            yield from _violations(shape.member, item, f"{path}.{place}.member")


def _own_violations(shape: Shape, value: Any, path: str) -> Iterator[str]:
    constraints: Mapping[str, Any] = shape.metadata
    is_number = isinstance(value, (int, float))
    size = value if is_number else len(value)
    least, most = constraints.get("min"), constraints.get("max")
    if shape.name == "Timeout":
        least = None  # which jobs may have a 0 depends on their command
    what = "value" if is_number else "length"
    if least is not None and size < least:
        yield _violation(value, path, f"Member must have {what} greater than or equal to {least}")
    if most is not None and size > most:
        yield _violation(value, path, f"Member must have {what} less than or equal to {most}")
    # Glue documents more types of worker than its model lists.
    allowed = WORKERS if shape.name == "WorkerType" else getattr(shape, "enum", None)
    if allowed and value not in allowed:
        wanted = f"Member must satisfy enum value set: [{', '.join(allowed)}]"
        yield _violation(value, path, wanted)
    pattern = _pattern(constraints.get("pattern"))
    if pattern is not None and isinstance(value, str) and not pattern.fullmatch(value):
        wanted = f"Member must satisfy regular expression pattern: {constraints['pattern']}"
        yield _violation(value, path, wanted)


def _violation(value: Any, path: str, constraint: str, *, quoted: bool = True) -> str:
    shown = f"'{value}'" if quoted else value
    return f"Value {shown} at '{path}' failed to satisfy constraint: {constraint}"


def _join(path: str, name: str) -> str:
    lower = name[0].lower() + name[1:]
    return f"{path}.{lower}" if path else lower


@cache
def _pattern(text: str | None) -> re.Pattern[str] | None:
    """The pattern for Python; the model writes characters beyond the BMP as surrogates, for Java.

    Java's own classes (``\\p{…}``) have no equal in ``re``: such a pattern is not checked.
    """
    if text is None:
        return None
    try:
        return re.compile(text.replace(r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF"))
    except re.error:
        return None
