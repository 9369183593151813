"""One notion of the same place, however its address is spelled."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flinkglue.lifecycle.state_paths import distinct, is_below, is_one_of, is_same_path, plain

_SAFE = "abcXYZ019-_.~ é%:=@"
_SEGMENT = st.text(_SAFE, min_size=1, max_size=6).filter(
    # A form takes no address that begins or ends with a space.
    lambda text: text.strip(" .") and text == text.strip() and "%" not in text
)
_HOSTS = {
    "s3": st.sampled_from(["bucket", "other.bucket", "Bucket"]),
    "abfs": st.sampled_from(["c@one.dfs.core.windows.net", "d@two.dfs.core.windows.net"]),
    "hdfs": st.sampled_from(["", "namenode", "namenode:9000"]),
    "file": st.just(""),
    "gs": st.just("bucket"),
}
_FAMILIES = {
    "s3": ["s3", "s3a", "s3p", "s3n", "S3A"],
    "abfs": ["abfs", "abfss", "wasb", "wasbs"],
    "hdfs": ["hdfs", "HDFS"],
    "file": ["file", "FILE", ""],
    "gs": ["gs"],
}


@st.composite
def _places(draw: st.DrawFn) -> tuple[str, str, tuple[str, ...]]:
    """A place: the family of its scheme, its host and the names on the way to it."""
    family = draw(st.sampled_from(sorted(_FAMILIES)))
    return family, draw(_HOSTS[family]), tuple(draw(st.lists(_SEGMENT, min_size=1, max_size=4)))


@st.composite
def _spelled(draw: st.DrawFn, place: tuple[str, str, tuple[str, ...]]) -> str:
    """Some address of the place."""
    family, host, steps = place
    scheme = draw(st.sampled_from(_FAMILIES[family]))
    if family == "abfs" and scheme.startswith("wasb"):
        host = host.replace(".dfs.", ".blob.")
    if family in ("abfs", "hdfs") and draw(st.booleans()):
        host = host.upper().replace(".DFS.", ".dfs.").replace(".BLOB.", ".blob.")
    if host == "namenode" and draw(st.booleans()):
        host = "namenode:8020"
    slash = st.sampled_from(["/", "//", "/./", "/gone/../"])
    path = "".join(draw(slash) + _encoded(draw, step) for step in steps)
    if family == "file" or not host:
        path = f"/{path.lstrip('/')}"
    path += draw(st.sampled_from(["", "/", "/_metadata", "//"]))
    if not scheme:
        return path
    return f"{scheme}:{f'//{host}' if host else draw(st.sampled_from(['', '//']))}{path}"


def _encoded(draw: st.DrawFn, step: str) -> str:
    return "".join(
        "".join(f"%{byte:02x}" for byte in letter.encode()) if draw(st.booleans()) else letter
        for letter in step
    )


@given(st.data(), _places())
def test_every_spelling_of_a_place_means_it(
    data: st.DataObject, place: tuple[str, str, tuple[str, ...]]
) -> None:
    one, other = data.draw(_spelled(place)), data.draw(_spelled(place))
    assert is_same_path(one, other)
    assert plain(one) == plain(other)


@given(st.data(), _places(), _places())
def test_two_places_are_never_one(
    data: st.DataObject,
    place: tuple[str, str, tuple[str, ...]],
    other: tuple[str, str, tuple[str, ...]],
) -> None:
    same = place == other
    assert is_same_path(data.draw(_spelled(place)), data.draw(_spelled(other))) == same


@given(st.text(max_size=40))
def test_a_plain_spelling_is_its_own(text: str) -> None:
    """What earlier versions wrote down in a plain spelling is compared as any address."""
    assert plain(plain(text)) == plain(text)


@given(st.data(), _places(), _SEGMENT)
def test_what_lies_in_a_directory_lies_below_its_every_spelling(
    data: st.DataObject, place: tuple[str, str, tuple[str, ...]], name: str
) -> None:
    family, host, steps = place
    inner = data.draw(_spelled((family, host, (*steps, name))))
    beside = data.draw(_spelled((family, host, (*steps[:-1], f"{steps[-1]}x"))))
    directory = data.draw(_spelled(place))
    assert is_below(inner, directory)
    assert not is_below(beside, directory)
    assert not is_below(directory, directory)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("s3a://b/sp/savepoint-1", "s3://b/sp/savepoint-1"),
        ("s3n://b/sp//savepoint-1/", "s3p://b/sp/savepoint-1"),
        ("abfss://c@Account.dfs.core.windows.net/sp", "abfs://c@account.dfs.core.windows.net/sp"),
        ("wasbs://c@a.blob.core.windows.net/sp", "abfs://c@a.dfs.core.windows.net/sp"),
        ("hdfs://NameNode:8020/sp", "hdfs://namenode/sp"),
        ("file:/the%20state/sp", "file:///the state/sp/"),
        ("file://localhost/sp", "/sp"),
        ("abfs:/c@a.dfs.core.windows.net/sp", "abfs://c@a.dfs.core.windows.net/sp"),
    ],
)
def test_spellings_that_people_and_clusters_use(one: str, other: str) -> None:
    assert is_same_path(one, other)
    assert is_one_of(one, ["/elsewhere", other])
    assert distinct([one, None, other]) == [one]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("s3://b/sp", "s3://b/Sp"),
        ("s3://b/a%2Fb", "s3://b/a/b"),
        ("s3://b/%FE", "s3://b/%FF"),
        ("hdfs://one/sp", "hdfs://two/sp"),
        ("hdfs:/one/sp", "hdfs://one/sp"),
        ("abfs://c@a.dfs.core.windows.net/sp", "abfs://d@a.dfs.core.windows.net/sp"),
        ("savepoint-1", "/savepoint-1"),
        ("/sp", ""),
    ],
)
def test_places_that_only_look_alike(one: str, other: str) -> None:
    assert not is_same_path(one, other)
    assert distinct([one, other]) == [path for path in (one, other) if path]
