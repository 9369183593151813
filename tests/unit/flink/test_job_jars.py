"""The sample jars of jobs/flink agree with their sources. Needs no JDK."""

import runpy
import struct
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
JOBS = ROOT / "jobs" / "flink"
LIBRARY = ROOT / "src" / "flinkglue"
JARS = runpy.run_path(str(ROOT / "scripts" / "build-jars"))["jars"]()
CLASS_FILE_OF_JAVA_11 = 55

every_jar = pytest.mark.parametrize("jar", JARS, ids=lambda jar: jar.name)


def manifest_of(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        text = archive.read("META-INF/MANIFEST.MF").decode().replace("\r\n ", "")
    return dict(line.split(": ", 1) for line in text.splitlines() if line)


def class_files_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        return {name: archive.read(name) for name in names if name.endswith(".class")}


def entry_class_file(jar: Any) -> str:
    return f"{jar.entry_class.replace('.', '/')}.class"


def test_every_jar_in_the_folder_is_described() -> None:
    built = {*JOBS.rglob("*.jar"), *LIBRARY.rglob("*.jar")}
    assert {jar.path for jar in JARS} == built


def test_every_java_file_belongs_to_a_jar() -> None:
    used = {file for jar in JARS for file in jar.source_files().values()}
    assert used == set(JOBS.rglob("*.java"))


@every_jar
def test_a_jar_was_built_from_the_sources_beside_it(jar: Any) -> None:
    """On failure: .venv/bin/python scripts/build-jars"""
    manifest = manifest_of(jar.path)
    assert manifest["Source-SHA256"] == jar.source_sha256()
    assert manifest["Built-For"] == "Apache Flink 1.17 to 2.3; Java 11"


@every_jar
def test_a_jar_holds_no_code_of_others(jar: Any) -> None:
    """Every class is of a source beside it, so NOTICE names nobody: no library lies in a jar."""
    of_sources = {name.removesuffix(".java") for name in jar.source_files()}
    with zipfile.ZipFile(jar.path) as archive:
        names = set(archive.namelist())
    classes = {name for name in names if name.endswith(".class")}
    assert names - classes == {"META-INF/MANIFEST.MF"}
    assert {name.removesuffix(".class").partition("$")[0] for name in classes} <= of_sources


def test_the_hash_follows_every_change_of_a_source(tmp_path: Path) -> None:
    """A changed, a renamed and an added file, and another entry class, each give another hash."""
    jar = type(JARS[0])("Job", "Entry", ("sources",), root=tmp_path)
    source = tmp_path / "sources" / "One.java"
    source.parent.mkdir()
    source.write_text("class One {}")
    seen = [jar.source_sha256()]
    source.write_text("class One { }")
    seen.append(jar.source_sha256())
    source = source.rename(source.with_name("Two.java"))
    seen.append(jar.source_sha256())
    source.with_name("Three.java").write_text("class Three {}")
    seen.append(jar.source_sha256())
    seen.append(replace(jar, entry_class="Other").source_sha256())
    assert len(set(seen)) == len(seen)


@every_jar
def test_the_classes_run_on_java_11(jar: Any) -> None:
    for name, content in class_files_of(jar.path).items():
        magic, _minor, major = struct.unpack(">IHH", content[:8])
        assert magic == 0xCAFEBABE, name
        assert major == CLASS_FILE_OF_JAVA_11, name


@every_jar
def test_a_jar_carries_only_its_own_small_classes(jar: Any) -> None:
    assert jar.path.stat().st_size < 100_000
    own = {str(Path(name).parent) for name in jar.source_files()}
    assert {str(Path(name).parent) for name in class_files_of(jar.path)} <= own


@every_jar
def test_the_entry_class_is_there_unless_it_is_left_out_on_purpose(jar: Any) -> None:
    entry = entry_class_file(jar)
    assert manifest_of(jar.path)["Main-Class"] == jar.entry_class
    assert (entry in class_files_of(jar.path)) is (entry not in jar.left_out)


@every_jar
def test_entries_are_sorted_and_have_no_time_of_their_own(jar: Any) -> None:
    with zipfile.ZipFile(jar.path) as archive:
        entries = archive.infolist()
    assert entries[0].filename == "META-INF/MANIFEST.MF"
    names = [entry.filename for entry in entries[1:]]
    assert names == sorted(names)
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}


def test_the_bad_releases_replace_the_good_one_under_the_same_entry_class() -> None:
    good = next(jar for jar in JARS if jar.name == "StatefulCount")
    bad = [jar for jar in JARS if jar.name.startswith("bad/")]
    assert len(bad) == 6
    assert {jar.entry_class for jar in bad} == {good.entry_class}
    assert all(class_files_of(jar.path) != class_files_of(good.path) for jar in bad)
