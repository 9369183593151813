"""What a diff of a Glue job shows of its settings: no secret, and everything else."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flinkglue.glue.definition.shown_values import shown_value
from flinkglue.lifecycle.sensitive import HIDDEN

CANARY = "c4nary-Value"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"

SECRET_NAMES = (
    "--password", "--db_password", "--dbPassword", "--DB_PASSWORD", "--DBPASSWORD", "--passwd",
    "--pwd", "--user-pwd", "--db-pass", "--passphrase", "--secret", "--client-secret",
    "--client_secret_value", "--secret-id", "--api-key", "--api_key", "--apiKey", "--apikey",
    "--APIKey", "--access-key", "--aws-secret-access-key", "--private-key", "--token",
    "--auth-token", "--accessToken", "--bearertoken", "AuthToken", "--credentials", "--jwt",
    "--sas", "--account-key", "--shared-access-key", "--signing-key", "--basic-auth",
    "spark.hadoop.fs.s3a.secret.key",
)  # fmt: skip
ORDINARY = {
    "--secret-name": "orders/db",
    "--secret-arn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders",
    "--db-secret": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:orders",
    "--password-parameter-name": "/orders/db/password",
    "--password-file": "s3://bucket/where/it/is",
    "--token-url": "https://login.example.com/oauth",
    "--credentials-provider": "com.example.Provider",
    "--max-tokens": "4096",
    "--tokens": "128",
    "--tokenizer": "s3://models/tokenizer",
    "--tokenize-column": "text",
    "--use-secrets": "true",
    "--partition-key": "order_id",
    "--kms-key-id": "1234abcd-12ab",
    "--aws-access-key-id": "AKIAIOSFODNN7EXAMPLE",
    "--sort-key": "created_at",
    "--author": "data team",
    "--passenger-table": "passengers",
    "--topic": "orders",
    "--query": "SELECT token_count FROM usage WHERE day = '2026-01-01'",
    "--extra-py-files": "s3://wheels/tokenizer-1.0=x/w.whl",
    "--conf": "spark.a=200 --conf spark.security.credentials.hive.enabled=false",
    "--job-bookmark-option": "job-bookmark-enable",
    "Description": "Loads orders; its password is rotated monthly",
    "AuthStrategy": "AWS_SECRETS_MANAGER",
    "SecurityConfiguration": "secure",
    "--config": '{"table":"orders","token_limit":5}',
}
HIDING = (
    ("--conf", f"spark.a=1 --conf spark.x.password={CANARY} --conf spark.b=2", "spark.b=2"),
    (
        "--conf",
        f"spark.kafka.sasl.jaas.config=Login required username=u password='{CANARY}'",
        "Login",
    ),
    ("--conf", f"--conf=spark.hadoop.fs.s3a.secret.key={CANARY}", "fs.s3a.secret.key="),
    ("--db", f"jdbc:postgresql://user:{CANARY}@db/x", "db/x"),
    (
        "--db",
        f"jdbc:sqlserver://db;database=x;user=u;Password={CANARY};encrypt=true",
        "user=u",
    ),
    (
        "--store",
        f"AccountName=orders;AccountKey={CANARY};EndpointSuffix=core.windows.net",
        "orders",
    ),
    ("--url", f"https://files.example/x.py?sig={CANARY}", "files.example"),
    ("--config", json.dumps({"db": {"user": "u", "password": CANARY}, "n": [1]}), '"user": "u"'),
    ("--config", f"{{user: u, password: {CANARY}}}", "user: u"),
    ("--command", f"load --password {CANARY} --table orders", "--table orders"),
    ("--header", f"Authorization: Bearer {CANARY}xyz", "Authorization"),
    ("--anything", f"ghp_{'a1B2' * 9}", ""),
    ("--anything", JWT, ""),
    ("--anything", f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----", ""),
)


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_setting_whose_name_says_that_it_is_a_secret_is_hidden(name: str) -> None:
    assert shown_value(name, CANARY) == HIDDEN


@pytest.mark.parametrize(("name", "value"), ORDINARY.items())
def test_a_setting_that_only_sounds_like_one_is_shown_as_it_is(name: str, value: str) -> None:
    assert shown_value(name, value) == value


@pytest.mark.parametrize(("name", "value", "kept"), HIDING)
def test_a_secret_in_a_text_is_hidden_and_the_rest_of_the_text_is_shown(
    name: str, value: str, kept: str
) -> None:
    shown = shown_value(name, value)
    assert CANARY not in shown
    assert shown != value
    assert kept in shown


@given(
    before=st.lists(st.sampled_from(["spark.a=1", "--b 2", "x", "c:d"]), max_size=3),
    name=st.sampled_from([each.lstrip("-") for each in SECRET_NAMES]),
    sign=st.sampled_from(["=", ": ", " = ", '="']),
    after=st.lists(st.sampled_from(["spark.e=5", "--f 6", "y"]), max_size=3),
)
def test_wherever_a_pair_stands_its_secret_is_hidden(
    before: list[str], name: str, sign: str, after: list[str]
) -> None:
    end = '"' if sign.endswith('"') else ""
    text = " ".join([*before, f"{name}{sign}{CANARY}{end}", *after])
    shown = shown_value("--conf", text)
    assert CANARY not in shown
    assert all(each in shown for each in (*before, *after))


@given(st.text(), st.text() | st.integers() | st.lists(st.text()))
def test_any_setting_can_be_shown(name: str, value: object) -> None:
    assert isinstance(shown_value(name, value), str)


@pytest.mark.parametrize(
    "unit",
    ["a", "a=", "token=", "--a ", "--token 5 ", '"', "eyJ", "-----BEGIN PRIVATE KEY-----", "["],
)
def test_a_long_text_takes_a_moment(unit: str) -> None:
    began_at = time.process_time()
    shown_value("--x", unit * 50_000)
    assert time.process_time() - began_at < 2
