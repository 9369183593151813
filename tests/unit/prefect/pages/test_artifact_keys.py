"""Each job has artifacts of its own keys, whatever its name."""

from __future__ import annotations

import re
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from flinkglue.blocks.aws import AwsRegion, glue_place
from flinkglue.blocks.aws_credentials import AwsCredentials
from flinkglue.errors import CallFailed
from flinkglue.glue.run_request import JobPlace
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


def block(name: str | None, region: str | None = "us-east-1") -> AwsCredentials:
    """A block as it is loaded, or one that was never saved."""
    loaded = AwsCredentials(region_name=region)
    loaded._block_document_name = name
    return loaded


def run_key(name: str | None, own_region: str | None, region: str | None) -> str:
    return glue_key(Kind.GLUE_RUN, "orders", glue_place(block(name, own_region), region))


def test_glue_jobs_of_one_name_in_two_accounts_have_two_histories() -> None:
    """The block names the account. Of the usual one, the key is that of earlier versions."""
    usual, prod = (run_key(name, "us-east-1", None) for name in ("aws", "prod"))
    assert usual == "glue-job-run-orders"
    assert prod.startswith("glue-job-run-orders-prod-")
    elsewhere = run_key("aws", "us-east-1", "eu-west-1")
    assert elsewhere.startswith("glue-job-run-orders-eu-west-1-")
    assert len({usual, prod, elsewhere, run_key("prod", "us-east-1", "eu-west-1")}) == 4


@pytest.mark.parametrize("name", ["aws", "prod", None])
@pytest.mark.parametrize("filled_in", ["eu-west-1", "", None])
def test_the_blocks_own_region_filled_in_is_the_same_place(
    name: str | None, filled_in: str | None
) -> None:
    own = "eu-west-1"
    assert run_key(name, own, filled_in) == run_key(name, "us-east-1", None)


@pytest.mark.parametrize("assumes_a_role", [False, True])
def test_of_a_block_without_a_region_its_own_is_the_one_that_boto3_takes(
    assumes_a_role: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """That of the environment, else of the profile; a session of a role has no profile."""
    config = tmp_path / "config"
    config.write_text("[default]\nregion = eu-west-3\n[profile reports]\nregion = eu-central-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    own = block("prod", None)
    own.profile_name = "reports"
    if assumes_a_role:
        own.assume_role_arn = "arn:aws:iam::123456789012:role/reader"
    usual = "eu-west-3" if assumes_a_role else "eu-central-1"
    place = glue_place(own, None)
    assert glue_place(own, usual).name == place.name == "prod"
    assert glue_place(own, "eu-west-1").name == "prod eu-west-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert glue_place(own, "eu-west-1").name == place.name


def test_a_profile_that_does_not_exist_is_refused_as_by_the_first_call() -> None:
    unusable = block("prod", None)
    unusable.profile_name = "nowhere"
    with pytest.raises(CallFailed, match="nowhere"):
        glue_place(unusable, "eu-west-1")


@pytest.mark.parametrize("region", ["EU-WEST-1", " eu-west-1", "eu-west-1 ", "eu_west_1"])
def test_no_other_spelling_of_a_region_is_accepted(region: str) -> None:
    with pytest.raises(ValidationError, match="a region by its code"):
        TypeAdapter(AwsRegion).validate_python(region)


def test_the_pages_of_earlier_versions_are_known_by_their_keys() -> None:
    """First without block and region, then with a region also where it was the block's own."""
    earlier = glue_place(block("prod", "eu-west-1"), "eu-west-1").earlier_names
    assert earlier == ("prod eu-west-1", "")
    assert glue_place(block("aws"), None).earlier_names == ()


@given(
    st.lists(
        st.tuples(NAMES, st.builds(JobPlace, st.text("ab -1", max_size=6))), unique=True, max_size=8
    )
)
def test_two_places_never_share_a_key(jobs: list[tuple[str, str]]) -> None:
    keys = {glue_key(Kind.GLUE_RUN, *job) for job in jobs}
    assert len(keys) == len(jobs)
    assert all(PREFECT_TAKES.fullmatch(key) for key in keys)
