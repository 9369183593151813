"""Where jars lie: which addresses are taken, and that a path with spaces is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flinkglue.errors import InvalidInput
from flinkglue.flink.jars.sources import JarSource
from flinkglue.lifecycle.request.changes import JobChanges

SPACED = [
    "/home/me/my jobs/orders.jar",
    "/home/me/my jobs/orders v2.jar",
    "my jobs/orders.jar",
    "a b.jar",
    "file:///home/me/my jobs/orders.jar",
    "file:/home/me/my%20jobs/orders.jar",
]


@pytest.mark.parametrize("address", SPACED)
def test_a_path_may_have_spaces(address: str) -> None:
    assert JobChanges(jar=address).jar == address


@pytest.mark.parametrize(
    "address",
    [
        "https://jars.example.com/my jobs/orders.jar",
        "/jobs/orders.jar\n",
        "/jobs/or\nders.jar",
        " /jobs/orders.jar",
        "/jobs/ .jar",
        "/jobs/orders .jar",
        "file:///jobs/orders.jar?sig=x.jar",
        "ftp://jobs/orders.jar",
        "/jobs/orders.war",
        ".jar",
    ],
)
def test_what_is_no_jars_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidInput, match=r"^jar:"):
        JobChanges(jar=address)


@pytest.mark.parametrize("form", ["{}", "file:{}", "file://{}"])
def test_the_jar_is_read_from_there(tmp_path: Path, form: str) -> None:
    directory = tmp_path / "my jobs"
    directory.mkdir()
    (directory / "orders v2.jar").write_bytes(b"PK")
    jar = JarSource().identify(form.format(directory / "orders v2.jar"))
    assert jar.size_bytes == 2
    with JarSource().content(jar, "upload.jar") as path:
        assert path.read_bytes() == b"PK"


@given(name=st.text("ab /-_.", min_size=1, max_size=20))
def test_an_address_that_is_taken_is_the_path_that_was_meant(name: str) -> None:
    """Nothing is cut off or added on the way."""
    address = f"/{name}.jar"
    try:
        assert JobChanges(jar=address).jar == address
    except InvalidInput:
        assert not name.strip() or name[-1] == " "
