"""Packs a Python program or a SQL script into a jar. The same files give the same bytes.

The jar of a script is the SQL runner with the script beside it. A Python program's jar has its
modules as they are imported: Python reads a jar as the zip that it is.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from importlib.resources import files
from io import BytesIO
from pathlib import Path

from flinkglue.errors import InvalidInput
from flinkglue.lifecycle.program import ProgramKind

# What the runner looks for beside itself: SqlRunner.java of jobs/flink.
SCRIPT_NAME = "flinkglue-script.sql"
_RUNNER = "sql-runner.jar"
PYTHON_MAIN = "flinkglue_program"
"""The module of a Python program's jar that runs the program's own."""
_MANIFEST = "META-INF/MANIFEST.MF"
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)
_Entry = tuple[str, bytes]


def pack(kind: ProgramKind, paths: Iterable[tuple[str, Path]], module: str, target: Path) -> None:
    """Write the jar.

    Args:
        kind: What the files are.
        paths: Their names and contents, the one to start with first.
        module: The Python module that is run.
        target: The jar.

    Raises:
        InvalidInput: A file is not what it has to be, or two bring the same module.
    """
    entries = dict(_sql(paths) if kind is ProgramKind.SQL else _python(paths, module))
    manifest = entries.pop(_MANIFEST)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as jar:
        jar.writestr(_named(_MANIFEST), manifest)
        for name in sorted(entries):
            jar.writestr(_named(name), entries[name])


def _named(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _FIXED_TIME)
    entry.create_system = 3  # Unix; else it would follow the machine
    entry.external_attr = 0o644 << 16
    return entry


def _sql(paths: Iterable[tuple[str, Path]]) -> Iterator[_Entry]:
    ((name, script),) = paths
    yield from _members(files("flinkglue.flink").joinpath(_RUNNER).read_bytes())
    content = script.read_bytes()
    try:
        content.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput("jar", name, f"a script in UTF-8: {error.reason}") from error
    yield SCRIPT_NAME, content


def _python(paths: Iterable[tuple[str, Path]], module: str) -> Iterator[_Entry]:
    yield _MANIFEST, f"Manifest-Version: 1.0\r\nPython-Module: {module}\r\n\r\n".encode()
    main = f"{PYTHON_MAIN}.py"
    yield main, files("flinkglue.flink").joinpath("python_program.py").read_bytes()
    found: set[str] = {_MANIFEST, main}
    for name, path in paths:
        content = path.read_bytes()
        for member, text in _members(content, name) if name.endswith(".zip") else [(name, content)]:
            if member in found:
                raise InvalidInput("python_files", name, f"files that contain {member} only once")
            found.add(member)
            yield member, text
    sources = (f"{module.replace('.', '/')}{end}" for end in (".py", "/__main__.py"))
    if not found.intersection(sources):
        raise InvalidInput("python_module", module, "a module that the program's files have")


def _members(content: bytes, name: str = _RUNNER) -> Iterator[_Entry]:
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            for member in archive.infolist():
                if not member.is_dir() and (name == _RUNNER or member.filename != _MANIFEST):
                    yield member.filename, archive.read(member)
    except zipfile.BadZipFile as error:
        raise InvalidInput("python_files", name, "a .zip file") from error
