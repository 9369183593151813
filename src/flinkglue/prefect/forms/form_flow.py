"""A flow whose parameters are filled in by people, in one of Prefect's forms or a command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from prefect.flows import Flow
from prefect.utilities.callables import get_parameter_defaults, parameter_schema

from flinkglue.errors import InvalidInput
from flinkglue.prefect.forms.form_signature import (
    A_BLOCK,
    form_signature,
    is_no_block,
    needed_blocks,
    with_earlier_names,
)
from flinkglue.prefect.forms.moved import Moved, in_their_places

P = ParamSpec("P")
R = TypeVar("R")
Adapt = Callable[[dict[str, Any]], dict[str, Any]]


class FormFlow(Flow[P, R]):
    """A flow that takes its parameters of before as well, and never a block that was not picked."""

    def __init__(self, fn: Callable[P, R], **options: Any) -> None:
        self.moved: Moved = getattr(fn, "moved_parameters", {})
        self.adapt: Adapt = getattr(fn, "adapt_parameters", dict)
        super().__init__(fn, **options)
        # Prefect makes the schema of a deployment out of this, not out of the function.
        self.__signature__ = form_signature(fn, self.moved)
        self.parameters = parameter_schema(self)
        self.needed_blocks = needed_blocks(fn)

    def in_their_places(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters where they are now.

        Raises:
            InvalidInput: One is given in both of its places, with two values.
        """
        return self.adapt(in_their_places(parameters, self.moved))

    def whole(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters of a flow run with the defaults of those that it was not given.

        Raises:
            InvalidInput: As `validate_parameters`.
            ParameterTypeError: As `validate_parameters`.
        """
        given = self.in_their_places(parameters)
        return self.validate_parameters(get_parameter_defaults(self.fn) | given)

    def validate_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """The parameters where they are now, as the types that the function takes.

        Raises:
            InvalidInput: A block is null or empty, or a parameter was given in two places.
            ParameterTypeError: Another one is not valid.
        """
        placed = self.in_their_places(parameters)
        for name in self.needed_blocks:
            if name in placed and is_no_block(placed[name]):
                raise InvalidInput(name, placed[name], A_BLOCK)
        validated = super().validate_parameters(placed)
        return {name: value for name, value in validated.items() if name not in self.moved}

    def serialize_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """The parameters as a flow run shows them: without those that nobody gave any more."""
        given = {
            name: value
            for name, value in parameters.items()
            if name not in self.moved or value is not None
        }
        return super().serialize_parameters(given)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the flow."""
        return super().__call__(*args, **self.in_their_places(kwargs))


def form_flow(
    *, moved: Moved | None = None, adapt: Adapt | None = None, **options: Any
) -> Callable[[Callable[P, R]], FormFlow[P, R]]:
    """Make a function a flow with a form.

    Args:
        moved: Where parameters are that had another place before.
        adapt: Changes values of before into those of now; gets the parameters in their places.
    """

    def decorate(function: Callable[P, R]) -> FormFlow[P, R]:
        facts = {
            "moved_parameters": moved or {},
            "adapt_parameters": adapt or dict,
            "__signature__": with_earlier_names(function, moved or {}),
        }
        for name, value in facts.items():
            setattr(function, name, value)
        return FormFlow(function, **options)

    return decorate
