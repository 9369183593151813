"""SQL scripts as jobs: packed, kept, found again and rolled back to as jars are."""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flinkglue.azure.job_launch import run_job_of
from flinkglue.errors import InvalidInput, NotFound
from flinkglue.flink.jars import JarSource
from flinkglue.flink.packing import SCRIPT_NAME
from flinkglue.lifecycle.asked import AskedAction, JobChanges
from flinkglue.lifecycle.journal import spec_document, spec_of
from flinkglue.lifecycle.models import Action, Jar, JobSpec
from tests.unit.asking_world import AskingWorld
from tests.unit.fake_flink_jobs import Behaviour
from tests.unit.lifecycle_world import JOB_NAME, Killed


def script(directory: Path, text: str = "INSERT INTO a SELECT 1;", name: str = "orders.sql") -> str:
    (directory / name).write_bytes(text.encode())
    return str(directory / name)


class TestPacking:
    def test_a_script_lies_in_the_jar_beside_what_runs_it(self, tmp_path: Path) -> None:
        uri = script(tmp_path, "SET 'a' = 'ü';")
        jar = JarSource().identify(uri)
        with JarSource().content(jar, "orders.jar") as path, zipfile.ZipFile(path) as archive:
            assert hashlib.sha256(path.read_bytes()).hexdigest() == jar.sha256
            assert path.stat().st_size == jar.size_bytes
            assert archive.read(SCRIPT_NAME).decode() == "SET 'a' = 'ü';"
            assert b"Main-Class: flinkglue.sql.SqlRunner" in archive.read("META-INF/MANIFEST.MF")
            assert "flinkglue/sql/SqlRunner.class" in archive.namelist()

    @given(st.text(st.characters(exclude_categories=["Cs"])), st.data())
    @settings(max_examples=30)
    def test_the_hash_is_that_of_the_content(
        self, tmp_path_factory: pytest.TempPathFactory, text: str, data: st.DataObject
    ) -> None:
        """Of the script, wherever it lies and whatever it is called."""
        other = data.draw(st.text(st.characters(exclude_categories=["Cs"])))
        here, there = (tmp_path_factory.mktemp("scripts") for _ in range(2))
        first = JarSource().identify(script(here, text))
        assert JarSource().identify(script(there, text, "other.sql")).sha256 == first.sha256
        changed = JarSource().identify(script(there, other))
        assert (changed.sha256 == first.sha256) == (other == text)

    def test_a_script_that_changed_under_its_address_is_not_run(self, tmp_path: Path) -> None:
        jar = JarSource().identify(script(tmp_path, "v1"))
        script(tmp_path, "v2")
        with pytest.raises(NotFound, match="was asked for"), JarSource().content(jar, "a.jar"):
            pass

    def test_a_jar_that_another_release_packed_is_told_apart(self, tmp_path: Path) -> None:
        jar = JarSource().identify(script(tmp_path))
        other = Jar(jar.uri, "0" * 64, jar.size_bytes, jar.made_of)
        with (
            pytest.raises(NotFound, match="give jar once more"),
            JarSource().content(other, "a.jar"),
        ):
            pass

    def test_a_script_is_text(self, tmp_path: Path) -> None:
        (tmp_path / "orders.sql").write_bytes(b"\xff\xfe")
        with pytest.raises(InvalidInput, match="UTF-8"):
            JarSource().identify(str(tmp_path / "orders.sql"))


class TestSpec:
    def test_it_is_read_as_it_was_written(self, tmp_path: Path) -> None:
        spec = JobSpec(JOB_NAME, JarSource().identify(script(tmp_path)))
        assert spec_of(json.loads(json.dumps(spec_document(spec)))) == spec

    def test_one_of_the_version_before_is_read(self) -> None:
        spec = JobSpec(JOB_NAME, Jar("s3://jars/orders.jar", "a" * 64, 7), args=("x",))
        document = spec_document(spec)
        del document["jar"]["made_of"]
        assert spec_of(document) == spec

    def test_a_digest_of_the_version_before_is_the_same(self) -> None:
        spec = JobSpec(JOB_NAME, Jar("s3://jars/orders.jar", "a" * 64, 7), args=("x",))
        plain = {**asdict(spec), "jar": "a" * 64}
        text = json.dumps(plain, sort_keys=True)
        assert spec.digest() == hashlib.sha256(text.encode()).hexdigest()

    @pytest.mark.parametrize(
        ("field", "changes"),
        [
            ("entry_class", {"jar": "a.sql", "entry_class": "com.example.Job"}),
            ("args", {"jar": "a.sql", "args": ("--rate", "5")}),
        ],
    )
    def test_what_does_not_go_with_a_script_is_refused_by_name(
        self, field: str, changes: dict[str, Any]
    ) -> None:
        with pytest.raises(InvalidInput, match=field):
            JobChanges(**changes)

    def test_arm_runs_jars_alone(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match=r"a \.jar: ARM runs the file"):
            run_job_of(JobSpec(JOB_NAME, JarSource().identify(script(tmp_path))))


class TestLife:
    @pytest.fixture
    def world(self, tmp_path: Path) -> AskingWorld:
        return AskingWorld(tmp_path)

    def test_an_update_that_fails_goes_back_to_the_script_as_it_was(
        self, world: AskingWorld
    ) -> None:
        """Although the file at the address has changed."""
        changes = JobChanges(jar=script(world.directory, Behaviour.GOOD))
        world.ask(AskedAction(Action.NEW, JOB_NAME, changes)).raise_for_failure()
        world.clock.sleep(20)
        script(world.directory, Behaviour.CRASH_LOOP)
        outcome = world.ask(AskedAction(Action.UPDATE, JOB_NAME))
        assert outcome.rolled_back, outcome.failure
        assert world.job().behaviour is Behaviour.GOOD
        (change,) = outcome.changes
        assert (change.field, change.old[:10]) == ("jar", "orders.sql")

    def test_a_script_takes_the_place_of_a_jar(self, world: AskingWorld) -> None:
        """The arguments and the class of the jar mean nothing to it."""
        changes = JobChanges(jar=world.jar(), entry_class="Count", args=("--rate", "5"))
        world.ask(AskedAction(Action.NEW, JOB_NAME, changes)).raise_for_failure()
        sql = JobChanges(jar=script(world.directory, Behaviour.OTHER_GOOD))
        world.ask(AskedAction(Action.UPDATE, JOB_NAME, sql)).raise_for_failure()
        body = world.job().body
        assert body["programArgsList"] == []
        assert "entryClass" not in body

    def test_a_request_of_the_version_before_goes_on(self, world: AskingWorld) -> None:
        """It was written down without the fields that came later."""
        asked = AskedAction(Action.NEW, JOB_NAME, JobChanges(jar=world.jar()))
        world.boundaries.at_what, world.boundaries.before = "POST /jars/upload", True
        with pytest.raises(Killed):
            world.ask(asked)
        world.boundaries.restart()
        document = world.store.read("request", f"run:{Action.NEW}:1")
        assert document is not None
        for name in ("python_module", "python_files"):
            del document["asked"][name]
        world.store.write("request", f"run:{Action.NEW}:1", document)
        world.ask(asked).raise_for_failure()
