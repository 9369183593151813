"""Blocks that are filled in wrong: errors name the field, and repeat nothing that was given."""

from __future__ import annotations

import logging
import random
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prefect.blocks.core import Block
from prefect.exceptions import ParameterTypeError
from prefect_aws import AwsCredentials
from pydantic import SecretStr, ValidationError

from benchmarks.doors.input_doors import BLOCKS
from benchmarks.doors.odd_inputs import odd_value
from flinkglue.blocks.azure_sign_in import EntraServicePrincipal
from flinkglue.blocks.flink import FlinkRestCluster
from flinkglue.errors import InvalidInput
from flinkglue.http.auth import BearerToken
from flows.flink_watch import flink_watch
from flows.glue_run_sweep import glue_run_sweep

OURS = [door for door in BLOCKS if issubclass(door.kind, Block)]
CANARY = "canary7f3a"
SPOILT: list[Callable[[str], Any]] = [
    lambda canary: canary,
    lambda canary: f"{canary}\n{canary}",
    lambda canary: f"{canary}\0",
    lambda canary: f" {canary}\x1b[31m",
    lambda canary: f"https://user:{canary}@host",
    lambda canary: f"https://{canary}@host",
    lambda canary: f"https://user:a/{canary}@host",
    lambda canary: f"https://host?sig={canary}",
    lambda canary: f"http://{canary}",
    lambda canary: f"https://{canary}:port",
    lambda canary: f"https://[{canary}",
    lambda canary: f"s3://u:{canary}@b",
    lambda canary: f"Bearer {canary}",
    lambda canary: f"é{canary}",
    lambda canary: canary * 9000,
    lambda canary: [canary],
    lambda canary: {canary: canary},
    lambda canary: {"client_secret": canary, "vault_url": canary},
    lambda canary: canary.encode(),
]


def told_by(fail: Callable[[], Any]) -> Iterator[str]:
    """Everything that may be printed or stored of the error, if there is one."""
    try:
        fail()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is searched
        yield from (str(error), repr(error), repr(vars(error)))
        yield "".join(traceback.format_exception(error))
        yield repr((error.__cause__, error.__context__, error.args))
        if isinstance(error, ValidationError):
            yield repr(error.errors())
            yield error.json()


@pytest.mark.parametrize("door", OURS, ids=lambda door: f"{door.title} {len(door.good)}")
def test_what_was_filled_in_is_in_no_error(door: Any) -> None:
    """In whatever field the secret stands, and whichever field is wrong."""
    told: list[str] = []
    for name in door.names:
        for spoil in SPOILT:
            told += told_by(lambda: door.kind(**door.good | {name: spoil(CANARY)}))  # noqa: B023
            told += told_by(lambda: door.kind.model_validate(door.good | {name: spoil(CANARY)}))  # noqa: B023
    assert len(told) > 100
    assert [each for each in told if CANARY in each] == []


def test_a_good_secret_is_in_no_error_about_another_field() -> None:
    """Fields that are wrong together, by themselves, missing, or of no known kind."""
    rng = random.Random(7)
    told: list[str] = []
    secrets = {"token": CANARY, "password": CANARY, "client_key_password": CANARY}
    for _ in range(300):
        name = rng.choice([*FlinkRestCluster.model_fields, "unknown"])
        given = {"url": "https://flink.example.com", **secrets, "sign_in": "bearer"}
        given[name] = odd_value(rng)
        told += told_by(lambda: FlinkRestCluster(**given))  # noqa: B023
        told += told_by(lambda: FlinkRestCluster(**secrets, sign_in=given["sign_in"]))  # noqa: B023
        told += told_by(lambda: EntraServicePrincipal(client_secret=CANARY, authority=given[name]))  # noqa: B023
    assert len(told) > 1000
    assert [each for each in told if CANARY in each] == []


def test_a_run_that_is_given_a_wrong_block_tells_the_field_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Prefect would log the errors of parameters with all their details."""
    wrong = {"url": f"https://u:{CANARY}@h", "sign_in": "basic", "password": f"{CANARY}\0"}
    with caplog.at_level(logging.DEBUG), pytest.raises(ParameterTypeError) as refused:
        flink_watch.validate_parameters({"job_names": ["orders"], "cluster": wrong})
    assert "cluster.FlinkRestCluster.url" in str(refused.value)
    assert "cluster.FlinkRestCluster.password" in str(refused.value)
    assert CANARY not in str(refused.value)
    assert "'flink-watch'; the state of the run says why" in caplog.text
    assert CANARY not in caplog.text


def test_a_refused_parameter_does_not_show_the_block_in_another_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The block is of another package, and shows its session token."""
    account = AwsCredentials(aws_session_token=CANARY)
    assert CANARY in repr(account)
    with caplog.at_level(logging.DEBUG), pytest.raises(ParameterTypeError, match="job_names"):
        glue_run_sweep.validate_parameters({"job_names": ["a\nb"], "aws_credentials": account})
    assert CANARY not in caplog.text


@pytest.mark.parametrize("pasted", ["tok.en-1\n", " tok.en-1", "\ttok.en-1\r\n"])
def test_blanks_around_a_pasted_secret_are_left_out(pasted: str) -> None:
    """A line end in a header would make httpx print the token."""
    url = "https://flink.example.com"
    block = FlinkRestCluster(url=url, sign_in="bearer", token=pasted)
    assert block.token is not None
    assert block.token.get_secret_value() == "tok.en-1"
    entra = EntraServicePrincipal(tenant_id="t", client_id="c", client_secret=pasted)
    assert entra.client_secret is not None
    assert entra.client_secret.get_secret_value() == "tok.en-1"


@pytest.mark.parametrize("token", [f"{CANARY}\nx", f"é{CANARY}", f"{CANARY} x", "", " \n"])
def test_a_token_that_no_header_takes_is_refused_when_it_is_set(token: str) -> None:
    """In the block, and in the library."""
    with pytest.raises(ValidationError, match="token"):
        FlinkRestCluster(url="https://flink.example.com", sign_in="bearer", token=token)
    with pytest.raises(InvalidInput, match=r"^token: the value \(not shown") as refused:
        BearerToken(SecretStr(token))
    assert CANARY not in f"{refused.value} {vars(refused.value)}"


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (EntraServicePrincipal, {"tenant_id": "t", "client_id": "c", "client_secret": "********"}),
        (FlinkRestCluster, {"url": "https://flink", "sign_in": "bearer", "token": "********"}),
    ],
    ids=["within another block", "of a block"],
)
def test_what_a_page_shows_in_place_of_a_secret_is_refused_as_such(
    kind: type[Block], given: dict[str, Any]
) -> None:
    """Prefect's form v2 saves it, as a copy of the block that another one refers to.

    A sign-in with it fails in words of the service that say nothing of that.
    """
    with pytest.raises(ValidationError, match=r"shows instead of a secret.*pick its block again"):
        kind(**given)


def test_prefect_still_knows_which_fields_are_secrets() -> None:
    """It encrypts and hides them by this."""
    assert FlinkRestCluster.model_json_schema()["secret_fields"] == [
        "password",
        "token",
        "client_key_password",
        "jars_header",
        "jars_query",
    ]
