"""What is set up: objects of one kind, by name, each with its fields."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.setup.fields import FieldChange, Fields


@dataclass(frozen=True)
class Observed:
    """An object as the server has it; `raw` is its JSON."""

    fields: Fields
    raw: Any = None


class Kind(ABC):
    """Objects of one kind.

    Names are unique on a server. All methods but `desired` may call it.
    """

    noun: str
    of_code: frozenset[str] = frozenset()
    """Fields that nobody sets by hand."""
    of_checkout: frozenset[str] = frozenset()
    """Those of them that follow from where the code lies, which differs between files."""

    @abstractmethod
    def desired(self) -> Mapping[str, Fields]:
        """What the file names, in the order in which it is to be set up."""

    @abstractmethod
    def observe(self, name: str) -> Observed | None:
        """What the server has."""

    @abstractmethod
    def create(self, name: str, fields: Fields) -> None:
        """Create one that is not there."""

    @abstractmethod
    def update(self, name: str, observed: Observed, changes: Sequence[FieldChange]) -> None:
        """Change these fields and leave the others."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Delete it; nothing, where it is gone."""

    def shown(self, change: FieldChange) -> tuple[str, str, str]:
        """Path, before and after of a change, without what may be a secret."""
        return change.shown()

    def creation_note(self, name: str) -> str:
        """What is worth to know before one is created."""
        return ""

    def check(self, name: str, observed: Observed | None, changes: Sequence[FieldChange]) -> None:
        """Refuse a creation or a change that the server would refuse, before anything is done.

        Raises:
            InvalidInput: Names the field and what is allowed.
        """
        return

    def secret(self, name: str) -> frozenset[str]:
        """Fields that are not shown."""
        return frozenset()

    def is_in_use(self, name: str) -> str:
        """By what else it is used, so that it must not be deleted; empty: by nothing."""
        return ""
