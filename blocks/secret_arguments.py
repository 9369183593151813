"""From the names of Secret blocks to the values that a Glue run gets."""

from __future__ import annotations

from collections.abc import Mapping

import httpx
from prefect.blocks.system import Secret

from flinkglue.blocks.loading import block_of
from flinkglue.errors import InvalidInput, ServiceUnavailable
from flinkglue.glue.masking import SHORTEST, can_be_masked

FIELD = "secret_arguments"


def read_secret_arguments(secret_arguments: Mapping[str, str]) -> dict[str, str]:
    """The values as the blocks hold them now. Keep them nowhere.

    Args:
        secret_arguments: By argument name, the name of the block.

    Raises:
        InvalidInput: There is no such block, or it holds nothing that a run could get.
        ServiceUnavailable: The Prefect server did not answer.
    """
    return {name: _value(name, block) for name, block in secret_arguments.items()}


def _value(argument_name: str, block_name: str) -> str:
    try:
        block = block_of(Secret, FIELD, block_name)
    except httpx.HTTPError as error:
        raise ServiceUnavailable(
            "Prefect", "read block", f"secret/{block_name}", str(error) or type(error).__name__,
            advice="run it again; nothing was started",
        ) from error  # fmt: skip
    value = block.value.get_secret_value()  # `get` would make a number of a text of digits
    if not isinstance(value, str) or not can_be_masked(value):
        raise InvalidInput(
            FIELD,
            f"{argument_name} from {block_name}",
            f"a secret block with a text of at least {SHORTEST} characters in one line: a shorter "
            "one could not be kept out of logs",
        )
    return value
