"""Each job has artifacts of its own keys, whatever its name."""

from __future__ import annotations

import re
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st
from prefect_aws import AwsCredentials

from flinkglue.prefect.names import glue_place
from flinkglue.prefect.pages.keys import Kind, artifact_key, glue_key

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


def test_glue_jobs_of_one_name_in_two_accounts_have_two_histories() -> None:
    """The block names the account. Of the usual one, the key is that of earlier versions."""
    usual, prod = (glue_place(name, None) for name in ("aws", "aws-credentials/prod"))
    assert glue_key(Kind.GLUE_RUN, "orders", usual) == "glue-job-run-orders"
    assert glue_key(Kind.GLUE_RUN, "orders", prod).startswith("glue-job-run-orders-prod-")
    elsewhere = glue_place("aws", "eu-west-1")
    assert glue_key(Kind.GLUE_RUN, "orders", elsewhere).startswith("glue-job-run-orders-eu-west-1-")
    keys = {glue_key(Kind.GLUE_RUN, "orders", place) for place in (usual, prod, elsewhere)}
    assert len(keys) == 3


def test_a_block_that_was_picked_is_the_one_of_its_name() -> None:
    picked = AwsCredentials()
    assert glue_place(picked, None) == ""
    picked._block_document_name = "prod"
    assert glue_place(picked, "eu-west-1") == glue_place("prod", "eu-west-1") == "prod eu-west-1"


@given(st.lists(st.tuples(NAMES, st.text("ab -1", max_size=6)), unique=True, max_size=8))
def test_two_places_never_share_a_key(jobs: list[tuple[str, str]]) -> None:
    keys = {glue_key(Kind.GLUE_RUN, *job) for job in jobs}
    assert len(keys) == len(jobs)
    assert all(PREFECT_TAKES.fullmatch(key) for key in keys)
