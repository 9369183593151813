"""Types of what people fill in, for blocks, flows and models. Pure.

A form refuses what is plainly wrong by a pattern and says in words what it takes (`form_schema`);
the check behind it decides, and its error names the field without repeating what could hold a
password.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from pydantic import AfterValidator, GetCoreSchemaHandler, SecretStr, ValidationInfo

from flinkglue import addresses
from flinkglue.errors import InvalidInput
from flinkglue.form_schema import InWords
from flinkglue.secret_values import for_a_header, pasted, whole_header
from flinkglue.texts import UNPRINTABLE, is_plain

_SEEN = rf"[^{UNPRINTABLE}]"
_EDGE = rf"[^\s{UNPRINTABLE}]"
NAME_PATTERN = rf"^{_EDGE}({_SEEN}*{_EDGE})?$"
HTTPS_PATTERN = r"^https://[^\s/@?#\\]+/?$"
HTTP_PATTERN = r"^https?://[^\s@?#\\]+$"
HTTPS_ALLOWED = "https://host[:port], without a path"
HTTP_ALLOWED = "https://host[:port][/path] or http://host[:port][/path]"


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


class Matched(InWords):
    """The same for a flow or a block, which checks that all of a text matches."""

    def require(self, field: str, value: object) -> None:
        """Refuse a value that does not match.

        Raises:
            InvalidInput: It does not match, or is no text.
        """
        if not isinstance(value, str) or re.fullmatch(self.pattern, value) is None:
            raise InvalidInput(field, value, self.allowed)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        return checked(self._match).__get_pydantic_core_schema__(source, handler)

    def _match(self, field: str, value: str) -> str:
        self.require(field, value)
        if not is_plain(value):
            raise InvalidInput(field, value, self.allowed)
        return value


def _optional(
    check: Callable[[SecretStr], SecretStr],
) -> Callable[[SecretStr | None], SecretStr | None]:
    return lambda secret: None if secret is None else check(secret)


_service = partial(addresses.http_url, may_have_path=False)
_web = partial(addresses.http_url, schemes=("https", "http"))

_a_path = InWords(NAME_PATTERN, addresses.PATH_ALLOWED)
_a_name = InWords(NAME_PATTERN, addresses.NAME_ALLOWED)
_a_web_address = InWords(HTTP_PATTERN, HTTP_ALLOWED)

ServiceUrl = Annotated[str, checked(_service), InWords(HTTPS_PATTERN, HTTPS_ALLOWED)]
"""An https address without a path, such as ARM's."""
WebUrl = Annotated[str, checked(_web), _a_web_address]
"""An http or https address, such as a JobManager's behind a gateway."""
OptionalWebUrl = Annotated[str, checked(or_empty(_web)), _a_web_address.or_empty()]
FilePath = Annotated[str, checked(addresses.file_path), _a_path]
OptionalFilePath = Annotated[str, checked(or_empty(addresses.file_path)), _a_path.or_empty()]
SecureUrl = Annotated[
    str,
    checked(addresses.http_url),
    InWords(r"^https://[^\s@?#\\]+$", "an https:// address without user, ? and #"),
]
"""An https address with a path, such as a repository of jars."""
StorageAddress = Annotated[
    str,
    checked(addresses.storage_address),
    InWords(rf"^(/|[a-z][a-z0-9+.-]*:/){_SEEN}+$", addresses.STORAGE_ALLOWED),
]
Name = Annotated[str, checked(addresses.name), _a_name]
OptionalName = Annotated[str, checked(or_empty(addresses.name)), _a_name.or_empty()]
OptionalSecret = Annotated[SecretStr | None, AfterValidator(_optional(pasted))]
"""The type of the whole field: Prefect knows and encrypts it as a secret only so."""
OptionalHeaderSecret = Annotated[SecretStr | None, AfterValidator(_optional(for_a_header))]
OptionalHeaderValue = Annotated[SecretStr | None, AfterValidator(_optional(whole_header))]
HeaderName = Annotated[str, Matched(r"^[A-Za-z0-9-]+$", "letters, digits and -")]
