"""Types of what people fill in, for blocks, flows and models: forms get a pattern. Pure.

The pattern lets a form refuse what is plainly wrong; the check behind it decides, and its error
names the field without repeating what could hold a password.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo

from flinkglue import addresses
from flinkglue.errors import InvalidInput
from flinkglue.secret_values import for_a_header, pasted, whole_header
from flinkglue.texts import UNPRINTABLE

_SEEN = rf"[^{UNPRINTABLE}]"
_EDGE = rf"[^\s{UNPRINTABLE}]"
NAME_PATTERN = rf"^{_EDGE}({_SEEN}*{_EDGE})?$"
HTTPS_PATTERN = r"^https://[^\s/@?#\\]+/?$"
HTTP_PATTERN = r"^https?://[^\s@?#\\]+$"


def checked(check: Callable[[str, str], str]) -> AfterValidator:
    """A check of a field's name and value, for a type."""

    def validated(value: str, info: ValidationInfo) -> str:
        try:
            return check(info.field_name or "value", value)
        except InvalidInput as error:
            # Without the value: a secret may have been filled in at the wrong place.
            refused = f"it is not accepted. Allowed: {error.allowed}"
        raise ValueError(refused)

    return AfterValidator(validated)


def or_empty(check: Callable[[str, str], str]) -> Callable[[str, str], str]:
    """The same check, where nothing may be filled in."""
    return lambda field, value: check(field, value) if value else value


def form(pattern: str) -> Any:
    """What a form checks by itself; not pydantic, whose words would be the pattern."""
    return Field(json_schema_extra={"pattern": pattern})


def _optional(
    check: Callable[[SecretStr], SecretStr],
) -> Callable[[SecretStr | None], SecretStr | None]:
    return lambda secret: None if secret is None else check(secret)


_service = partial(addresses.http_url, may_have_path=False)
_web = partial(addresses.http_url, schemes=("https", "http"))

ServiceUrl = Annotated[str, checked(_service), form(HTTPS_PATTERN)]
"""An https address without a path, such as ARM's."""
WebUrl = Annotated[str, checked(_web), form(HTTP_PATTERN)]
"""An http or https address, such as a JobManager's behind a gateway."""
OptionalWebUrl = Annotated[str, checked(or_empty(_web)), form(rf"^$|{HTTP_PATTERN}")]
FilePath = Annotated[str, checked(addresses.file_path), form(NAME_PATTERN)]
OptionalFilePath = Annotated[
    str, checked(or_empty(addresses.file_path)), form(rf"^$|{NAME_PATTERN}")
]
SecureUrl = Annotated[str, checked(addresses.http_url), form(r"^https://[^\s@?#\\]+$")]
"""An https address with a path, such as a repository of jars."""
StorageAddress = Annotated[
    str, checked(addresses.storage_address), form(rf"^(/|[a-z][a-z0-9+.-]*:/){_SEEN}+$")
]
Name = Annotated[str, checked(addresses.name), form(NAME_PATTERN)]
OptionalName = Annotated[str, checked(or_empty(addresses.name)), form(rf"^$|{NAME_PATTERN}")]
OptionalSecret = Annotated[SecretStr | None, AfterValidator(_optional(pasted))]
"""The type of the whole field: Prefect knows and encrypts it as a secret only so."""
OptionalHeaderSecret = Annotated[SecretStr | None, AfterValidator(_optional(for_a_header))]
OptionalHeaderValue = Annotated[SecretStr | None, AfterValidator(_optional(whole_header))]
