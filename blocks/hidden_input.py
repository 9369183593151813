"""Blocks whose validation errors repeat nothing that was filled in, as it may hold a secret."""

from __future__ import annotations

import logging
from typing import Any

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from flinkglue.form_schema import shown_fields, with_its_values

_NOT_SHOWN = "(not shown)"
_REFUSED = "Parameter validation failed for flow"


class _WithoutValues(logging.Filter):
    """Prefect logs all parameters of a run when it refuses one, and what is in their blocks.

    Of other packages' blocks that includes secrets: the session token of AWS Credentials is plain
    text. The state of the run has the names and reasons.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.msg, str) and record.msg.startswith(_REFUSED):
            flow_name, _, _ = record.msg.removeprefix(_REFUSED).partition(":")
            record.msg = f"{_REFUSED}{flow_name}; the state of the run says why"
        return True


logging.getLogger("prefect.flows").addFilter(_WithoutValues())


class HiddenInput(BaseModel):
    """Put it before ``Block`` among the bases of a block.

    pydantic shows in an error what was given, which for a block filled in in the UI is then in
    the state and the log of the first run that loads it. pydantic's own setting leaves that out of
    the text alone, and only where the block is not part of another model; Prefect logs the details.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: Any, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Show an optional field as one that may be left out, and each field by its own title."""
        json_schema, fields = shown_fields(core_schema, handler)
        fields.update({name: with_its_values(each, handler) for name, each in fields.items()})
        return json_schema

    def __init__(self, *args: Any, **fields: Any) -> None:
        try:
            super().__init__(*args, **fields)
            self._check_together()
        except ValidationError as error:
            hidden = _without_input(error)
        except ValueError as error:
            hidden = _of_the_whole(type(self).__name__, str(error))
        else:
            return
        # Outside, so that the error with the input is not the context of this one.
        raise hidden

    def _check_together(self) -> None:
        """Refuse fields that are good by themselves and do not go together.

        Raises:
            ValueError: Names the field and says why, without values.
        """


def faults_in_words(error: ValidationError) -> str:
    """Places and messages in one line, without what was given."""
    return "; ".join(
        ": ".join(filter(None, [".".join(map(str, each["loc"])), each["msg"]]))
        for each in error.errors(include_url=False, include_context=False, include_input=False)
    )


def _without_input(error: ValidationError) -> ValidationError:
    lines = [
        _line(each["type"], each["msg"], each["loc"])
        for each in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return ValidationError.from_exception_data(error.title, lines, hide_input=True)


def _of_the_whole(title: str, message: str) -> ValidationError:
    lines = [_line("value_error", f"Value error, {message}", ())]
    return ValidationError.from_exception_data(title, lines, hide_input=True)


def _line(kind: str, message: str, place: tuple[int | str, ...]) -> InitErrorDetails:
    # Braces would be places for values.
    plain = message.replace("{", "(").replace("}", ")")
    return InitErrorDetails(type=PydanticCustomError(kind, plain), loc=place, input=_NOT_SHOWN)
