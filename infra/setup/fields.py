"""What is set, field by field: as the file has it, as the server has it, as it was applied last.

A field that the server has otherwise than it was applied last was changed by a person, or set from
another file. Fields that no file names belong to people.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

Fields = Mapping[str, Any]
"""Values by path, for example ``parameters.job_names``."""


class _Absent:
    def __repr__(self) -> str:
        return "not set"


ABSENT: Final = _Absent()
_EMPTY: tuple[Any, ...] = (ABSENT, None, "", [], {})


@dataclass(frozen=True)
class FieldChange:
    """A field that is to become something else.

    `by_a_person` says that its value was not applied from a file, `set_by` from which other one it
    was. A `secret` is never shown.
    """

    path: str
    before: Any
    after: Any
    by_a_person: bool = False
    secret: bool = False
    set_by: str = ""

    @property
    def needs_overwrite(self) -> bool:
        """Whether it is not for this file alone to change."""
        return self.by_a_person or bool(self.set_by)

    def shown(self) -> tuple[str, str, str]:
        """Path, before and after as text."""
        return self.path, _text(self.before, self.secret), _text(self.after, self.secret)


def differences(
    desired: Fields,
    observed: Fields,
    applied: Mapping[str, str],
    *,
    others: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
    of_code: frozenset[str] = frozenset(),
    secret: frozenset[str] = frozenset(),
) -> Iterator[FieldChange]:
    """What has to change for the server to have what the file says.

    Args:
        desired: What the file says.
        observed: What the server has.
        applied: Marks of what was applied last from this file.
        others: Those of each other file.
        of_code: Fields that follow from the code; nobody sets them by hand.
        secret: Fields that are not shown; nor are those that were secret when they were applied.
    """
    secret |= {path for each in (applied, *others.values()) for path in each if _slow(each[path])}
    for path, after in desired.items():
        before = observed.get(path, ABSENT)
        if before == after or (before in _EMPTY and after in _EMPTY):
            continue
        is_own = path in applied and marks(applied[path], before)
        is_set = before not in _EMPTY
        set_by = _set_by(path, before, others) if is_set and not is_own else ""
        is_nobodys = is_own or path in of_code or not (is_set or path in applied)
        by_a_person = not is_nobodys and not set_by
        yield FieldChange(path, before, after, by_a_person, path in secret, set_by)
    for path in sorted(applied.keys() - desired.keys() - of_code):
        before = observed.get(path, ABSENT)
        is_own = before not in _EMPTY and marks(applied[path], before)
        if is_own and not _set_by(path, before, others):
            yield FieldChange(path, before, ABSENT, False, path in secret)


def _set_by(path: str, value: Any, others: Mapping[str, Mapping[str, str]]) -> str:
    found = (name for name, given in others.items() if path in given and marks(given[path], value))
    return next(found, "")


def applied_after(
    desired: Fields,
    observed: Fields,
    applied: Mapping[str, str],
    *,
    unmarked: frozenset[str] = frozenset(),
    secret: frozenset[str] = frozenset(),
) -> dict[str, str]:
    """The marks to keep, once the server has `observed`; none of `unmarked` fields.

    What a person set and was left keeps the mark of what was applied before it, if there is one.
    """
    kept: dict[str, str] = {}
    for path, value in desired.items():
        now = observed.get(path, ABSENT)
        if path in unmarked:
            continue
        if now == value or (now in _EMPTY and value in _EMPTY):
            old = applied.get(path)
            is_kept = old is not None and _slow(old) is (path in secret) and marks(old, value)
            kept[path] = old if is_kept and old else mark(value, secret=path in secret)
        elif path in applied:
            kept[path] = applied[path]
    return kept


def mark(value: Any, *, secret: bool = False) -> str:
    """By which a value is recognized; each has a salt of its own.

    Marks of secrets are slow to make, as nobody is to find a secret by trying. Others are short:
    whoever reads them can read the value on the server.
    """
    salt = _SECRET + secrets.token_hex(16) if secret else _PLAIN + secrets.token_hex(2)
    return salt + _digest(salt, value)


def marks(given: str, value: Any) -> bool:
    """Whether a mark is one of this value."""
    length = 33 if _slow(given) else 5
    salt, digest = given[:length], given[length:]
    return hmac.compare_digest(digest, _digest(salt, value))


def _slow(given: str) -> bool:
    return given.startswith(_SECRET)


def _digest(salt: str, value: Any) -> str:
    value = None if value in _EMPTY else value
    text = json.dumps(value, sort_keys=True, default=str).encode()
    if _slow(salt):
        return hashlib.scrypt(text, salt=salt.encode(), n=2**14, r=8, p=1, dklen=16).hex()
    return hashlib.sha256(salt.encode() + text).hexdigest()[:12]


def _text(value: Any, is_secret: bool) -> str:
    if value is ABSENT:
        return repr(value)
    if is_secret:
        return "********"
    text = value if isinstance(value, str) and value else json.dumps(value, default=str)
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 1]}…"


_MOST_CHARACTERS = 120
_SECRET, _PLAIN = "s", "p"
