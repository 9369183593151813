"""What a job runs: its jar and how that is launched. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Literal

from flinkglue.errors import InvalidInput
from flinkglue.lifecycle.differences import Difference, changed_settings, in_words
from flinkglue.lifecycle.program import SUFFIXES, Program, ProgramKind, kind_of

RestoreMode = Literal["NO_CLAIM", "CLAIM", "LEGACY"]
RESTORE_MODES: tuple[RestoreMode, ...] = ("NO_CLAIM", "CLAIM", "LEGACY")
MOST_PARALLELISM = 32768
NO_ARGS_FOR_SQL = "nothing for a SQL script: write SET statements into it"
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Jar:
    """What a job runs, and how to know it again.

    Args:
        uri: Where it lies: a local path, ``https://``, ``s3://`` or ``abfs(s)://``.
        sha256: 64 hexadecimal digits of the jar's content.
        made_of: The program that the jar is packed from, whose first file lies at ``uri``; None:
            the jar itself lies there.
    """

    uri: str
    sha256: str
    size_bytes: int = 0
    made_of: Program | None = None

    def __post_init__(self) -> None:
        if kind_of(self.uri) is not self.kind:
            raise InvalidInput("jar", self.uri, f"an address that ends in {', '.join(SUFFIXES)}")
        if not _SHA256.fullmatch(self.sha256):
            raise InvalidInput("jar sha256", self.sha256, "64 lower-case hexadecimal digits")

    @property
    def kind(self) -> ProgramKind:
        return self.made_of.kind if self.made_of else ProgramKind.JAR

    @property
    def name(self) -> str:
        return self.uri.rsplit("/", 1)[-1]

    def in_words(self) -> str:
        """One phrase for people who compare."""
        if self.made_of is not None:
            return ", ".join(file.in_words() for file in self.made_of.files)
        return f"{self.name} (sha256 {self.sha256[:12]}…, {self.size_bytes} bytes)"


@dataclass(frozen=True)
class JobSpec:
    """What is to run.

    Args:
        job_name: The name that people and the journal know the job by.
        jar: The job jar; for a Python program or SQL, the one that is packed from it.
        entry_class: The class with ``main()``; None: the one of the jar's manifest.
        args: The arguments of ``main()``, one by one.
        flink_configuration: Settings of this job. What the job's code sets wins.
        allow_non_restored_state: Start also when the savepoint has state that the job lacks.
        restore_mode: Who owns the savepoint started from. ``NO_CLAIM`` leaves it in place,
            ``CLAIM`` lets Flink delete it, ``LEGACY`` is the way before Flink 1.15.
    """

    job_name: str
    jar: Jar
    entry_class: str | None = None
    args: tuple[str, ...] = ()
    parallelism: int = 1
    flink_configuration: Mapping[str, str] = field(default_factory=dict)
    allow_non_restored_state: bool = False
    restore_mode: RestoreMode = "NO_CLAIM"

    def __post_init__(self) -> None:
        if not self.job_name.strip():
            raise InvalidInput("job_name", self.job_name, "a name that is not blank")
        if not 1 <= self.parallelism <= MOST_PARALLELISM:
            raise InvalidInput("parallelism", self.parallelism, f"1 to {MOST_PARALLELISM}")
        if self.restore_mode not in RESTORE_MODES:
            raise InvalidInput("restore_mode", self.restore_mode, ", ".join(RESTORE_MODES))
        if self.jar.made_of is not None and self.entry_class is not None:
            raise InvalidInput("entry_class", self.entry_class, "nothing: it is for a .jar")
        if self.jar.kind is ProgramKind.SQL and self.args:
            raise InvalidInput("args", self.args, NO_ARGS_FOR_SQL)

    def digest(self) -> str:
        """64 hexadecimal digits: equal when the same would run, wherever the jar lies."""
        plain = asdict(self)
        plain["jar"] = self.jar.sha256
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()

    def lasting(self) -> JobSpec:
        """The same without what was requested for one launch alone: how it takes its state over."""
        return replace(self, allow_non_restored_state=False, restore_mode="NO_CLAIM")

    def difference(self, other: JobSpec) -> tuple[Difference, ...]:
        """What changes from this to the other, in the order of the fields."""
        changes = []
        for name in (known.name for known in fields(self)):
            old, new = getattr(self, name), getattr(other, name)
            if name == "flink_configuration":
                changes += changed_settings(old, new)
            elif name == "jar":
                if old.sha256 != new.sha256:
                    changes.append(Difference("jar", old.in_words(), new.in_words()))
            elif old != new:
                changes.append(Difference(name, in_words(old), in_words(new)))
        return tuple(changes)
