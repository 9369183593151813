"""Addresses and names as people fill them in, one check for each kind. Pure.

Each check returns the value, or refuses it by the name of the field. An address that could hold a
password is never repeated: addresses are written down, and shown as links.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from urllib.parse import SplitResult, unquote, urlsplit

import idna

from flinkglue.errors import InvalidInput
from flinkglue.texts import is_plain

MOST_CHARACTERS = 2048
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")
MOST_PATH_BYTES = 4095  # Linux's PATH_MAX without its end
MOST_NAME_BYTES = 255
MOST_NAME_CHARACTERS = 200

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.IGNORECASE)
_STORAGE_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
# The container stands where other addresses have their user.
_CONTAINER_FIRST = ("abfs", "abfss", "wasb", "wasbs")
_FILE = re.compile(r"file:(?://(?P<host>[^/]*)(?=/)|(?=/(?!/)))(?P<path>/.*)")

NAME_ALLOWED = (
    f"1 to {MOST_NAME_CHARACTERS} characters in one line, without control or invisible characters "
    "and without blanks around it"
)
PATH_ALLOWED = "a path of at most 4095 bytes in one line, without control or invisible characters"
STORAGE_ALLOWED = (
    "an absolute path, file:/, s3://, abfs:// or another scheme of Flink's, in one line, without "
    "a user's password, ? or #"
)


def http_url(
    field: str, text: str, *, schemes: Collection[str] = ("https",), may_have_path: bool = True
) -> str:
    """The address of a service.

    Args:
        field: The name of the field.
        text: What was filled in.
        schemes: ``https``, or also ``http``.
        may_have_path: Whether something may stand behind the host, as behind a gateway.

    Raises:
        InvalidInput: It is none, or has user information, a query or a fragment.
    """
    path = "[/path]" if may_have_path else ""
    allowed = " or ".join(f"{scheme}://host[:port]{path}" for scheme in schemes)
    _refuse_user_information(field, text, allowed)
    parts = _split(text)
    if (
        parts is None
        or parts.scheme not in schemes
        or not text.startswith(f"{parts.scheme}://")
        or not _is_short_and_plain(text, MOST_CHARACTERS)
        or " " in text
        or "\\" in text
    ):
        raise InvalidInput(field, text, allowed)
    if "?" in text or "#" in text:
        raise InvalidInput(field, text, f"{allowed}, without ? and #")
    if not _is_host(parts):
        raise InvalidInput(field, text, f"{allowed}; the host is neither a name nor an IP address")
    if not _is_port(parts):
        raise InvalidInput(field, text, f"{allowed}; the port is a number from 1 to 65535")
    if not may_have_path and parts.path not in ("", "/"):
        raise InvalidInput(field, text, allowed)
    return text


def storage_address(field: str, text: str) -> str:
    """The address of a file or directory in a file system of Flink's.

    Raises:
        InvalidInput: It is none, is relative, or has a user's password, a query or a fragment.
    """
    if _password_before_host(text):
        raise InvalidInput(field, text, STORAGE_ALLOWED)
    if not _is_short_and_plain(text, MOST_PATH_BYTES) or text != text.strip():
        raise InvalidInput(field, text, STORAGE_ALLOWED)
    if "?" in text or "#" in text or not _is_in_a_file_system(text):
        raise InvalidInput(field, text, STORAGE_ALLOWED)
    return text


def file_path(field: str, text: str) -> str:
    """A path on the machine where flows run; nobody has looked whether there is such a file.

    Raises:
        InvalidInput: No file can have it.
    """
    steps = text.encode(errors="replace").split(b"/")
    if (
        not text.strip()
        or not _is_short_and_plain(text, MOST_PATH_BYTES)
        or max(map(len, steps)) > MOST_NAME_BYTES
    ):
        raise InvalidInput(field, text, PATH_ALLOWED)
    return text


def name(field: str, text: str, most: int = MOST_NAME_CHARACTERS) -> str:
    """A name that is shown in lists, logs and pages.

    Raises:
        InvalidInput: It is blank, too long, or does not show all that it holds.
    """
    if not text.strip() or text != text.strip() or not _is_short_and_plain(text, most):
        raise InvalidInput(field, text, NAME_ALLOWED)
    return text


def local_path(address: str) -> str | None:
    """The path that ``file:`` and plain paths mean on this machine; None: it is on another."""
    if not address.startswith("file:"):
        return address
    match = _FILE.fullmatch(address)
    if match is None or match["host"] not in (None, "", "localhost"):
        return None
    return unquote(match["path"])


def _refuse_user_information(field: str, text: str, allowed: str) -> None:
    # Also where a password has a slash or a question mark, and so does not stand before the host.
    if "@" in text:
        raise InvalidInput(
            field, text, f"{allowed}, without user and password: there are fields for secrets"
        )


def _password_before_host(text: str) -> bool:
    scheme, colon, rest = text.partition(":")
    before, at, _ = rest.partition("@")
    is_user = scheme not in _CONTAINER_FIRST and "/" not in before.removeprefix("//")
    return bool(colon and at) and (":" in before or is_user)


def _split(text: str) -> SplitResult | None:
    try:
        return urlsplit(text)
    except ValueError:  # for example [::1 without its end
        return None


def _is_short_and_plain(text: str, most: int) -> bool:
    return len(text.encode(errors="replace")) <= most and is_plain(text)


def _is_host(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    if parts.netloc.startswith("["):
        return parts.netloc.partition("]")[2][:1] in ("", ":") and _is_address(host, 6)
    if re.fullmatch(r"[0-9.]+", host):
        return _is_address(host, 4)
    return len(host) <= 253 and all(map(_is_label, host.removesuffix(".").split(".")))


def _is_address(host: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(host).version == version
    except ValueError:
        return False


def _is_label(label: str) -> bool:
    if _LABEL.fullmatch(label) is None:
        return False
    if not label.lower().startswith("xn--"):
        return True
    try:
        return bool(idna.decode(label))
    except idna.IDNAError:
        return False


def _is_port(parts: SplitResult) -> bool:
    host_and_port = parts.netloc.rpartition("]")[2] if "]" in parts.netloc else parts.netloc
    colon, port = host_and_port.partition(":")[1:]
    return not colon or (port.isascii() and port.isdigit() and 0 < int(port[:9]) <= 65535)


def _is_in_a_file_system(text: str) -> bool:
    if text.startswith("/"):
        return len(text) > 1
    if text.startswith("file:"):
        return (local_path(text) or "/") != "/"
    scheme, colon, rest = text.partition("://")
    parts = _split(text)
    return bool(
        colon
        and _STORAGE_SCHEME.fullmatch(scheme)
        and rest
        and parts is not None
        and parts.netloc
        and not set(parts.netloc) & set(" []\\")
    )
