"""SQL scripts and Python programs as jobs: packed, kept and rolled back to as jars are."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flinkglue.azure.jobs.launch_request import run_job_of
from flinkglue.errors import InvalidInput, NotFound, PermissionDenied
from flinkglue.flink.jars.packing import PYTHON_MAIN, SCRIPT_NAME
from flinkglue.flink.jars.sources import JarSource
from flinkglue.flink.python_program import DUPLICATE_JOB, SECOND_JOB
from flinkglue.lifecycle.journal.records import document_of, value_of
from flinkglue.lifecycle.models import Action, Jar, JobSpec
from flinkglue.lifecycle.request.action import ActionRequest
from flinkglue.lifecycle.request.changes import JobChanges
from tests.unit.lifecycle.asking_world import AskingWorld
from tests.unit.lifecycle.fake_flink_jobs import Behaviour
from tests.unit.lifecycle.lifecycle_world import JOB_NAME, Killed


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
    @settings(max_examples=50)
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
        with pytest.raises(NotFound, match="was requested"), JarSource().content(jar, "a.jar"):
            pass

    def test_a_jar_that_another_release_packed_is_told_apart(self, tmp_path: Path) -> None:
        jar = JarSource().identify(script(tmp_path))
        other = Jar(jar.uri, "0" * 64, jar.size_bytes, jar.made_of)
        with (
            pytest.raises(NotFound, match="give jar again"),
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
        assert value_of(JobSpec, json.loads(json.dumps(document_of(spec)))) == spec

    def test_one_of_the_version_before_is_read(self) -> None:
        spec = JobSpec(JOB_NAME, Jar("s3://jars/orders.jar", "a" * 64, 7), args=("x",))
        document = document_of(spec)
        del document["jar"]["made_of"]
        assert value_of(JobSpec, document) == spec

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
        world.ask(ActionRequest(Action.NEW, JOB_NAME, changes)).raise_for_failure()
        world.clock.sleep(20)
        script(world.directory, Behaviour.CRASH_LOOP)
        outcome = world.ask(ActionRequest(Action.UPDATE, JOB_NAME))
        assert outcome.rolled_back, outcome.failure
        assert world.job().behaviour is Behaviour.GOOD
        (change,) = outcome.changes
        assert (change.field, change.old[:10]) == ("jar", "orders.sql")

    def test_a_script_takes_the_place_of_a_jar(self, world: AskingWorld) -> None:
        """The arguments and the class of the jar mean nothing to it."""
        changes = JobChanges(jar=world.jar(), entry_class="Count", args=("--rate", "5"))
        world.ask(ActionRequest(Action.NEW, JOB_NAME, changes)).raise_for_failure()
        sql = JobChanges(jar=script(world.directory, Behaviour.OTHER_GOOD))
        world.ask(ActionRequest(Action.UPDATE, JOB_NAME, sql)).raise_for_failure()
        body = world.job().body
        assert body["programArgsList"] == []
        assert "entryClass" not in body

    def test_a_request_of_the_version_before_goes_on(self, world: AskingWorld) -> None:
        """It was written down without the fields that came later."""
        asked = ActionRequest(Action.NEW, JOB_NAME, JobChanges(jar=world.jar()))
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


def python_file(directory: Path, name: str, text: str = "") -> str:
    (directory / name).write_text(text)
    return str(directory / name)


def zipped(directory: Path, name: str, **modules: str) -> str:
    with zipfile.ZipFile(directory / name, "w") as archive:
        for module, text in modules.items():
            archive.writestr(f"{module.replace('_of_', '/')}.py", text)
    return str(directory / name)


class TestPythonPacking:
    def test_its_modules_are_imported_from_the_jar(self, tmp_path: Path) -> None:
        """As Flink's PythonDriver runs it, whose path has the jar."""
        uri = python_file(
            tmp_path, "orders.py", "import helper, sys; print(helper.x, sys.argv[1:])"
        )
        files = (
            python_file(tmp_path, "helper.py", "from deep.inner import x"),
            zipped(tmp_path, "more.zip", deep_of___init__="", deep_of_inner="x = 5"),
        )
        jar = JarSource().identify(uri, "orders", files)
        with JarSource().content(jar, "orders.jar") as path:
            done = run_packed(path, "orders", "--rate", "5 6")
        assert done.stdout == "5 ['--rate', '5 6']\n"

    @pytest.mark.parametrize(
        ("raised", "exit_code"),
        [
            ("Cannot have more than 1 streaming jobs in a single environment.", SECOND_JOB),
            ("Cannot have more than one execute() or executeAsync() call", SECOND_JOB),
            ("org.x.DuplicateApplicationSubmissionException: Application has", DUPLICATE_JOB),
            ("org.x.DuplicateJobSubmissionException: Job has already been", DUPLICATE_JOB),
            ("no broker", 1),
        ],
    )
    def test_its_exit_code_says_what_flink_refused(
        self, tmp_path: Path, raised: str, exit_code: int
    ) -> None:
        """That is all that Flink passes on; the traceback is in the JobManager's log."""
        uri = python_file(tmp_path, "orders.py", f"raise RuntimeError({raised!r})")
        with JarSource().content(JarSource().identify(uri, "orders"), "orders.jar") as path:
            done = run_packed(path, "orders")
        assert done.returncode == exit_code
        assert f"RuntimeError: {raised}" in done.stdout

    def test_every_file_and_the_module_count_for_the_hash(self, tmp_path: Path) -> None:
        uri = zipped(tmp_path, "orders.zip", one="", two="")
        helper = python_file(tmp_path, "helper.py", "x = 1")
        seen = [JarSource().identify(uri, "one", (helper,)).sha256]
        seen.append(JarSource().identify(uri, "two", (helper,)).sha256)
        python_file(tmp_path, "helper.py", "x = 2")
        seen.append(JarSource().identify(uri, "one", (helper,)).sha256)
        assert len(set(seen)) == 3

    def test_a_further_file_that_changed_is_not_run(self, tmp_path: Path) -> None:
        helper = python_file(tmp_path, "helper.py", "x = 1")
        jar = JarSource().identify(python_file(tmp_path, "orders.py"), "orders", (helper,))
        python_file(tmp_path, "helper.py", "x = 2")
        with pytest.raises(NotFound, match=r"helper\.py"), JarSource().content(jar, "a.jar"):
            pass

    @pytest.mark.parametrize(
        ("field", "bring"),
        [
            ("python_module", lambda at: JarSource().identify(zipped(at, "a.zip", b=""), "c")),
            (
                "python_files",
                lambda at: JarSource().identify(
                    python_file(at, "a.py"), "a", (zipped(at, "b.zip", a=""),)
                ),
            ),
            ("python_files", lambda at: JarSource().identify(python_file(at, "a.zip", "no"), "a")),
        ],
    )
    def test_files_that_make_no_program_are_refused_by_name(
        self, tmp_path: Path, field: str, bring: Callable[[Path], Jar]
    ) -> None:
        with pytest.raises(InvalidInput, match=field):
            bring(tmp_path)


def run_packed(jar: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", PYTHON_MAIN, *words]
    environment = {**os.environ, "PYTHONPATH": str(jar)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("python_module", {"jar": "a.jar", "python_module": "orders"}),
        ("python_files", {"jar": "a.sql", "python_files": ("b.py",)}),
        ("python_module", {"jar": "a.py", "python_module": "orders"}),
        ("python_module", {"jar": "a.zip", "python_module": "orders; import os"}),
        ("python_files", {"jar": "a.py", "python_files": ("b.jar",)}),
        ("python_files", {"jar": "a.py", "python_files": ("https://u:secret@h/b.py",)}),
        ("python_files", {"jar": "a.py", "python_files": ("x/b.py", "y/b.py")}),
        ("entry_class", {"jar": "a.py", "entry_class": "com.example.Job"}),
    ],
)
def test_what_does_not_go_with_a_program_is_refused_by_name(
    field: str, changes: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInput, match=field) as refused:
        JobChanges(**changes)
    assert "secret" not in str(refused.value)


class TestPythonLife:
    @pytest.fixture
    def world(self, tmp_path: Path) -> AskingWorld:
        return AskingWorld(tmp_path)

    def test_an_update_reads_every_file_anew_and_goes_back_to_all_of_them(
        self, world: AskingWorld
    ) -> None:
        helper = python_file(world.directory, "helper.py", "x = 1")
        program = python_file(world.directory, "orders.py", Behaviour.GOOD)
        changes = JobChanges(jar=program, python_files=(helper,), args=("--rate", "5"))
        world.ask(ActionRequest(Action.NEW, JOB_NAME, changes)).raise_for_failure()
        old = world.job().body
        world.clock.sleep(20)
        python_file(world.directory, "helper.py", "x = 2")
        python_file(world.directory, "orders.py", Behaviour.CRASH_LOOP)
        outcome = world.ask(ActionRequest(Action.UPDATE, JOB_NAME))
        assert outcome.rolled_back, outcome.failure
        body = world.job().body
        assert body["entryClass"] == "org.apache.flink.client.python.PythonDriver"
        assert body["programArgsList"] == ["-pym", PYTHON_MAIN, "orders", "--rate", "5"]
        assert body["flinkConfiguration"] == old["flinkConfiguration"]
        (change,) = outcome.changes
        assert "helper.py" in change.old

    def test_its_files_are_where_the_jar_was_uploaded_to(self, world: AskingWorld) -> None:
        program = python_file(world.directory, "orders.py", Behaviour.GOOD)
        changes = JobChanges(jar=program, flink_configuration={"python.files": "/opt/more.zip"})
        world.ask(ActionRequest(Action.NEW, JOB_NAME, changes)).raise_for_failure()
        (jar_id,) = world.jobmanager.jars
        files = world.job().body["flinkConfiguration"]["python.files"]
        assert files == f"/uploads/flink-web-upload/{jar_id},/opt/more.zip"

    def test_a_jobmanager_that_hides_where_uploads_lie_is_told(self, world: AskingWorld) -> None:
        world.jobmanager.settings = {"web.tmpdir": ""}
        changes = JobChanges(jar=python_file(world.directory, "orders.py", Behaviour.GOOD))
        outcome = world.ask(ActionRequest(Action.NEW, JOB_NAME, changes))
        assert "web.upload.dir" in outcome.failure
        assert world.jobmanager.live_jobs() == []

    def test_a_gateway_that_hides_it_is_noticed_before_anything_is_stopped(
        self, world: AskingWorld
    ) -> None:
        program = python_file(world.directory, "orders.py", Behaviour.GOOD)
        world.ask(ActionRequest(Action.NEW, JOB_NAME, JobChanges(jar=program))).raise_for_failure()
        old = world.job()
        world.jobmanager.hides_settings = True
        with pytest.raises(PermissionDenied):
            world.ask(ActionRequest(Action.UPDATE, JOB_NAME))
        assert world.job() is old

    def test_one_that_hides_it_after_the_stop_starts_nothing_and_rolls_nothing_back(
        self, world: AskingWorld
    ) -> None:
        """One page of a gateway is no verdict on the program: the action goes on after it."""
        program = python_file(world.directory, "orders.py", Behaviour.GOOD)
        world.ask(ActionRequest(Action.NEW, JOB_NAME, JobChanges(jar=program))).raise_for_failure()
        world.clock.sleep(20)
        python_file(world.directory, "orders.py", Behaviour.OTHER_GOOD)
        really = world.jobmanager.transport

        def hide(call: httpx.Request) -> httpx.Response:
            if call.url.path == "/jobmanager/config" and not world.jobmanager.live_jobs():
                return httpx.Response(403, text="<html>403 Forbidden</html>")
            return really.handle_request(call)

        world.jobmanager.transport = httpx.MockTransport(hide)
        with pytest.raises(PermissionDenied, match="The action has not ended"):
            world.ask(ActionRequest(Action.UPDATE, JOB_NAME))
        assert world.jobmanager.live_jobs() == []
        world.jobmanager.transport = really
        world.ask(ActionRequest(Action.UPDATE, JOB_NAME)).raise_for_failure()
        assert world.job().behaviour is Behaviour.OTHER_GOOD

    def test_the_module_stays_as_it_ran_last(self, world: AskingWorld) -> None:
        first = zipped(world.directory, "orders-1.zip", orders=Behaviour.GOOD)
        changes = JobChanges(jar=first, python_module="orders")
        world.ask(ActionRequest(Action.NEW, JOB_NAME, changes)).raise_for_failure()
        second = zipped(world.directory, "orders-2.zip", orders=Behaviour.OTHER_GOOD)
        update = ActionRequest(Action.UPDATE, JOB_NAME, JobChanges(jar=second))
        world.ask(update).raise_for_failure()
        assert world.job().behaviour is Behaviour.OTHER_GOOD

    def test_a_zip_needs_a_module(self, world: AskingWorld) -> None:
        program = zipped(world.directory, "orders.zip", orders=Behaviour.GOOD)
        with pytest.raises(InvalidInput, match="python_module"):
            world.ask(ActionRequest(Action.NEW, JOB_NAME, JobChanges(jar=program)))
        assert world.jobmanager.requests == []

    @pytest.mark.parametrize(
        ("behaviour", "told"),
        [
            (Behaviour.TWO_JOBS, "more than one job"),
            (Behaviour.TWO_JOBS_OF_ONE_ENVIRONMENT, "more than one job"),
            (Behaviour.THROWS_IN_MAIN, "ModuleNotFoundError: No module named 'x'"),
        ],
    )
    def test_a_program_that_is_no_one_job_is_refused_in_words(
        self, world: AskingWorld, behaviour: Behaviour, told: str
    ) -> None:
        changes = JobChanges(jar=python_file(world.directory, "orders.py", behaviour))
        outcome = world.ask(ActionRequest(Action.NEW, JOB_NAME, changes))
        assert told in outcome.failure
        assert world.jobmanager.live_jobs() == []

    def test_a_program_that_waits_for_its_job_is_a_good_one(self, world: AskingWorld) -> None:
        program = python_file(world.directory, "orders.py", Behaviour.THROWS_AFTER_SUBMIT)
        changes = JobChanges(jar=program)
        outcome = world.ask(ActionRequest(Action.NEW, JOB_NAME, changes)).raise_for_failure()
        assert any("main() failed after" in line for line in outcome.story)
