"""What a job's jar is packed from, where the job is no jar: a Python program or a SQL script. Pure.

The jar is packed anew from the files wherever it is needed. The same files give the same bytes, so
that its hash stands for all of them, and it is kept, found again and rolled back to as any jar.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from flinkglue.errors import InvalidInput
from flinkglue.form_types import Matched

JAVA_CLASS = Matched(
    r"^[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*$",
    "a full Java class name, for example com.example.Job",
)
PYTHON_MODULE = Matched(
    r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$", "a Python module, for example orders.main"
)
_SHA256 = re.compile(r"[0-9a-f]{64}")


class ProgramKind(StrEnum):
    """What kind of program an address names."""

    JAR = "jar"
    PYTHON = "python"
    SQL = "sql"


_BY_SUFFIX = {
    ".jar": ProgramKind.JAR,
    ".py": ProgramKind.PYTHON,
    ".zip": ProgramKind.PYTHON,
    ".sql": ProgramKind.SQL,
}
SUFFIXES = tuple(_BY_SUFFIX)


def kind_of(uri: str) -> ProgramKind | None:
    """The kind, by the end of the address; None: it is no program's."""
    found = (kind for suffix, kind in _BY_SUFFIX.items() if uri.endswith(suffix))
    return next(found, None)


@dataclass(frozen=True)
class ProgramFile:
    """One file of a program, and how to know it again.

    Args:
        uri: Where it lies, as for a jar.
        sha256: 64 hexadecimal digits of its content.
    """

    uri: str
    sha256: str
    size_bytes: int = 0

    def __post_init__(self) -> None:
        if not _SHA256.fullmatch(self.sha256):
            raise InvalidInput("sha256", self.sha256, "64 lower-case hexadecimal digits")

    @property
    def name(self) -> str:
        return self.uri.rsplit("/", 1)[-1]

    def in_words(self) -> str:
        """One phrase for people who compare."""
        return f"{self.name} (sha256 {self.sha256[:12]}…, {self.size_bytes} bytes)"


@dataclass(frozen=True)
class Program:
    """A program that is packed into a jar to be run.

    Args:
        kind: ``PYTHON`` or ``SQL``.
        files: Its files, the one to start with first.
        module: The Python module to run; empty for SQL.
    """

    kind: ProgramKind
    files: tuple[ProgramFile, ...]
    module: str = ""

    def __post_init__(self) -> None:
        if self.kind is ProgramKind.JAR or not self.files:
            raise InvalidInput("program", self.kind, "a Python program or SQL, with its files")

    @property
    def further_uris(self) -> tuple[str, ...]:
        """The addresses of its files beside the first."""
        return tuple(file.uri for file in self.files[1:])
