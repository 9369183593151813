"""Each job has artifacts of its own keys, whatever its name."""

from __future__ import annotations

import re
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from flinkglue.prefect.pages.keys import Kind, artifact_key

PREFECT_TAKES = re.compile(r"[a-z0-9-]+")

NAMES = st.one_of(
    st.text(max_size=100),
    st.text("abAB01-_ .", min_size=1, max_size=12),
    st.builds("{}-{}".format, st.text("ab", min_size=1), st.text("0123456789abcdef", max_size=16)),
)


@given(st.sampled_from(Kind), NAMES, st.sampled_from(["", "here", "there"]))
def test_prefect_takes_each_key(kind: Kind, name: str, place: str) -> None:
    assert PREFECT_TAKES.fullmatch(artifact_key(kind, name, place))


@given(st.lists(st.tuples(NAMES, st.sampled_from(["", "here", "there"])), unique=True, max_size=8))
def test_two_jobs_never_share_a_key(jobs: list[tuple[str, str]]) -> None:
    keys = [artifact_key(kind, *job) for kind in Kind for job in jobs]
    assert len(set(keys)) == len(keys)


@given(NAMES)
def test_a_key_that_is_another_jobs_name_is_not_its_key(name: str) -> None:
    """Somebody calls a job as the key of another one ends."""
    taken = artifact_key(Kind.GLUE_RUN, name).removeprefix(f"{Kind.GLUE_RUN}-")
    if taken != name:
        assert artifact_key(Kind.GLUE_RUN, taken) != artifact_key(Kind.GLUE_RUN, name)


def test_no_kind_begins_as_another_one() -> None:
    assert not [pair for pair in permutations(Kind, 2) if pair[0].startswith(f"{pair[1]}-")]


def test_a_plain_name_is_read_in_its_key() -> None:
    assert artifact_key(Kind.GLUE_RUN, "orders") == "glue-job-run-orders"
    assert artifact_key(Kind.GLUE_RUN, "Orders").startswith("glue-job-run-orders-")
