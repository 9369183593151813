"""Where jars and programs come from: local paths, https, or storage that a block can read."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from flinkglue.addresses import local_path
from flinkglue.errors import InvalidInput, NotFound
from flinkglue.flink.jars.https_files import HttpsFiles
from flinkglue.flink.jars.packing import pack
from flinkglue.lifecycle.models import Jar
from flinkglue.lifecycle.program import Program, ProgramFile, ProgramKind, kind_of

Fetch = Callable[[str, Path], None]
"""Writes what lies at an address into a file."""

_DIGEST_DIGITS = 16
_OWN_ADDRESSES = "Give each release of a jar its own address."
_OTHER_PACKING = "Another release of this project packed it: give jar again."


class JarSource:
    """Reads jars by their address.

    Args:
        fetchers: How to read further schemes, for example ``{"s3": …, "abfs": …, "abfss": …}``.
            They raise ``CallFailed``; ``https`` and local paths need none.
    """

    def __init__(self, fetchers: Mapping[str, Fetch] | None = None) -> None:
        self._fetchers: dict[str, Fetch] = {"https": HttpsFiles().fetch, **(fetchers or {})}

    def identify(
        self, uri: str, python_module: str = "", python_files: tuple[str, ...] = ()
    ) -> Jar:
        """The jar that lies there now, or is packed from what lies there, with hash and size.

        Args:
            uri: The address of a jar, a Python program or a SQL script.
            python_module: The module of a Python program that is run.
            python_files: The addresses of further files of a Python program.

        Raises:
            InvalidInput: The address or the program is of no known kind.
            NotFound: Nothing lies there.
        """
        kind = kind_of(uri) or ProgramKind.JAR
        if kind is ProgramKind.JAR:
            with self._opened(uri) as path:
                return Jar(uri, sha256_of(path), path.stat().st_size)
        with self._all_opened([uri, *python_files]) as paths:
            found = tuple(
                ProgramFile(each, sha256_of(path), path.stat().st_size) for each, path in paths
            )
            program = Program(kind, found, python_module)
            with _packed(program, paths) as path:
                return Jar(uri, sha256_of(path), path.stat().st_size, program)

    def holds(self, jar: Jar) -> bool:
        """Whether exactly this content lies, or can be packed from what lies, at its address."""
        try:
            with self.content(jar, "job.jar"):
                return True
        except (NotFound, InvalidInput):
            return False

    @contextmanager
    def content(self, jar: Jar, file_name: str) -> Iterator[Path]:
        """A file of that name with exactly this jar's content, for as long as the block runs.

        Raises:
            NotFound: Nothing lies at the jar's address, or not this content any more.
        """
        with self._of(jar) as path, tempfile.TemporaryDirectory() as directory:
            _check_content(jar, path, _OTHER_PACKING if jar.made_of else _OWN_ADDRESSES)
            named = Path(directory) / file_name
            named.symlink_to(path.resolve())
            yield named

    @contextmanager
    def _of(self, jar: Jar) -> Iterator[Path]:
        if jar.made_of is None:
            with self._opened(jar.uri) as path:
                yield path
            return
        program = jar.made_of
        with self._all_opened([file.uri for file in program.files]) as paths:
            for file, (_, path) in zip(program.files, paths, strict=True):
                _check_content(file, path, _OWN_ADDRESSES)
            with _packed(program, paths) as path:
                yield path

    @contextmanager
    def _all_opened(self, uris: list[str]) -> Iterator[list[tuple[str, Path]]]:
        with ExitStack() as opened:
            yield [(uri, opened.enter_context(self._opened(uri))) for uri in uris]

    @contextmanager
    def _opened(self, uri: str) -> Iterator[Path]:
        scheme = uri.partition("://")[0] if "://" in uri else "file"
        if scheme == "file":
            yield _existing(uri)
            return
        fetch = self._fetchers.get(scheme)
        if fetch is None:
            known = ", ".join(["a local path", *(f"{name}://" for name in sorted(self._fetchers))])
            raise InvalidInput("jar", uri, known)
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "job.jar"
            fetch(uri, path)
            yield path


@contextmanager
def _packed(program: Program, paths: list[tuple[str, Path]]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as directory:
        target = Path(directory) / "program.jar"
        named = [(uri.rsplit("/", 1)[-1], path) for uri, path in paths]
        pack(program.kind, named, program.module, target)
        yield target


def _check_content(known: Jar | ProgramFile, path: Path, advice: str) -> None:
    found = sha256_of(path)
    if found != known.sha256:
        raise NotFound(
            "jar source",
            "read",
            known.uri,
            f"sha256 {known.sha256[:12]}… was requested, sha256 {found[:12]}… was found",
            advice=advice,
        )


def sha256_of(path: Path) -> str:
    """64 hexadecimal digits of the file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def name_on_cluster(job_name: str, sha256: str) -> str:
    """The name to upload a jar under: it says whose it is and which content, so that an upload
    whose answer was lost is found again.
    """
    return f"{_job_prefix(job_name)}{sha256[:_DIGEST_DIGITS]}.jar"


def is_of_job(name: str, job_name: str) -> bool:
    """Whether an uploaded jar was uploaded for this job."""
    prefix = _job_prefix(job_name)
    return bool(re.fullmatch(rf"{re.escape(prefix)}[0-9a-f]{{{_DIGEST_DIGITS}}}\.jar", name))


def _job_prefix(job_name: str) -> str:
    # The digest keeps names apart that differ only in characters which a file name cannot have.
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", job_name)[:60]
    return f"{plain}-{hashlib.sha256(job_name.encode()).hexdigest()[:8]}-"


def _existing(uri: str) -> Path:
    path = local_path(uri)
    if path is None:
        raise InvalidInput("jar", uri, "a file: address of this machine")
    try:
        if Path(path).is_file():
            return Path(path)
    except OSError as error:  # for example a name that is too long for the file system
        raise NotFound("jar source", "read", uri, str(error)) from error
    raise NotFound("jar source", "read", uri, "there is no such file")
