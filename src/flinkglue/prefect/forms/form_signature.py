"""The parameters of a flow as a form should show them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Annotated, Any, get_args

from prefect.blocks.core import Block
from pydantic import Field, GetJsonSchemaHandler

from flinkglue.form_schema import without_null

A_BLOCK = "a saved block: pick one, or give its name"
A_PICKER = "A saved block of this kind."
_NONE_IS_PICKED = "no block is picked"
_NO_BLOCK = {
    "anyOf": [{"type": "null"}, {"type": "object", "not": {"required": ["$ref"]}}],
}


class _Shown:
    """An optional value as one that may be left out; a block that is not picked as no block.

    A page that changes from the name of a block to a list of blocks, in which none is picked, sends
    nothing, so that the deployment's own block would be taken. One of the two pages begins a list
    with the default of its kind: it sends that, which is refused. The other one checks that what is
    required is there.

    The default is an object with a key of its own for each kind of block, because that page shows
    the kind whose properties a value has: null would bring it back to the first one, and no block
    of another kind could ever be picked. As the kind's schema takes it, it is refused in our own
    words alone.
    """

    def __init__(self, *, is_needed_block: bool) -> None:
        self._is_needed_block = is_needed_block

    def __get_pydantic_json_schema__(
        self, core_schema: Any, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        shown = without_null(handler(core_schema))
        if "anyOf" in shown:
            shown["anyOf"] = [self._kind(kind, handler) for kind in shown["anyOf"]]
        if not self._is_needed_block:
            return shown
        return shown | {"if": _NO_BLOCK, "then": {"const": A_BLOCK}}

    def _kind(self, kind: dict[str, Any], handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """A kind of value that the parameter takes."""
        definition = handler.resolve_ref_schema(kind)
        not_picked = _as_picker(definition)
        if not_picked is None:
            return kind
        picker: dict[str, Any] = kind | {"description": A_PICKER}  # not what the class says
        return picker | {"default": not_picked} if self._is_needed_block else picker


def is_no_block(value: object) -> bool:
    """Whether a parameter that takes a block has none: null, nothing, or what a page sends."""
    if isinstance(value, Mapping):
        return any(str(key).startswith(_NONE_IS_PICKED) for key in value)
    return value is None or value == ""


def _as_picker(definition: dict[str, Any]) -> dict[str, Any] | None:
    """Leave of a block's schema what a list of saved blocks needs: what it sends with none picked.

    The server reads the whole schema for each run that is created, and most of it were the fields
    of blocks. It takes no block that is filled in there, whose secrets would be shown, and takes a
    reference to a saved block for a reference alone: what is both is refused. The page v1 leaves
    out of a schema what closes it, so that what cannot be there is required, too.

    Returns:
        None where it is no block's schema.
    """
    if "block_type_slug" not in definition:
        return None
    needed = {name: definition[name] for name in ("title", "type", "block_type_slug")}
    key = f"{_NONE_IS_PICKED}: {needed['block_type_slug']}"
    definition.clear()
    definition.update(
        needed, properties={key: {"const": True}}, additionalProperties=False, required=[key]
    )
    return {key: True}


def with_earlier_names(function: Callable[..., Any], names: Iterable[str]) -> inspect.Signature:
    """The signature with parameters that the function had before, and has elsewhere now.

    Prefect binds what a flow run was given to the signature before a flow sees it, and refuses what
    is not there by listing all names. Bound and not given, they are None.
    """
    signature = inspect.signature(function, eval_str=True)
    kind = inspect.Parameter.KEYWORD_ONLY
    earlier = [inspect.Parameter(name, kind, default=None, annotation=Any) for name in names]
    return signature.replace(parameters=[*signature.parameters.values(), *earlier])


def form_signature(
    function: Callable[..., Any], without: Collection[str] = ()
) -> inspect.Signature:
    """The signature that Prefect should make a schema of.

    A block is required, whatever the function takes when it is called from Python: which one a
    deployment uses is set where it is deployed, and shown. What is None by default has no default.

    Args:
        without: Names that are not shown.
    """
    signature = inspect.signature(function, eval_str=True)
    parameters = signature.parameters.values()
    shown = [_shown(parameter) for parameter in parameters if parameter.name not in without]
    return signature.replace(parameters=shown)


def needed_blocks(function: Callable[..., Any]) -> list[str]:
    """The parameters that take a block and cannot be left out."""
    parameters = inspect.signature(function, eval_str=True).parameters.values()
    return [each.name for each in parameters if _is_needed_block(each)]


def _shown(parameter: inspect.Parameter) -> inspect.Parameter:
    is_needed_block = _is_needed_block(parameter)
    annotation: Any = Annotated[parameter.annotation, _Shown(is_needed_block=is_needed_block)]
    default = parameter.default
    if is_needed_block:
        default = parameter.empty
    elif default is None:
        # The schema has no default of a factory.
        annotation = Annotated[annotation, Field(default_factory=lambda: None)]
        default = parameter.empty
    return parameter.replace(
        annotation=annotation, default=default, kind=inspect.Parameter.KEYWORD_ONLY
    )


def _is_needed_block(parameter: inspect.Parameter) -> bool:
    kinds = list(_kinds(parameter.annotation))
    is_block = any(isinstance(kind, type) and issubclass(kind, Block) for kind in kinds)
    return is_block and type(None) not in kinds


def _kinds(annotation: Any) -> Iterator[Any]:
    yield annotation
    for each in get_args(annotation):
        yield from _kinds(each)
