"""Addresses, paths and names: one check for each kind, which refuses by the field's name."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from flinkglue.addresses import file_path, http_url, local_path, name, storage_address
from flinkglue.azure.arm.client import ArmClient
from flinkglue.azure.identity import credential
from flinkglue.azure.key_vault import read_service_principal
from flinkglue.errors import InvalidInput
from flinkglue.flink.api.rest import FlinkRestClient
from flinkglue.http.auth import RenewedToken

SECRET = "hunter2"


@pytest.mark.parametrize(
    "url",
    [
        "https://flink.example.com",
        "https://flink.example.com./gateway/flink/",
        "http://localhost:8081",
        "https://[::1]:8443",
        "https://10.0.0.1:65535",
        "https://xn--mnchen-3ya.example",
        "http://flink_jobmanager:8081",
    ],
)
def test_addresses_of_services_are_taken_as_they_are(url: str) -> None:
    """Also behind a gateway, by IP address, and by the names of containers."""
    assert http_url("url", url, schemes=("https", "http")) == url


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://h:abc", "the port is a number"),
        ("https://h:0", "the port is a number"),
        ("https://h:70000", "the port is a number"),
        ("https://[::1", "Allowed: https://host"),
        ("https://xn--", "the host is neither a name"),
        ("https://xn--a", "the host is neither a name"),
        ("https://a..b", "the host is neither a name"),
        ("https://1.2.3.4.5", "the host is neither a name"),
        ("https://", "the host is neither a name"),
        ("https://münchen.example", "the host is neither a name"),
        ("http://h", "Allowed: https://host"),
        ("https:h", "Allowed: https://host"),
        ("https://h\n", "Allowed: https://host"),
        ("https://h/\u202egnp", "Allowed: https://host"),
        ("https://" + "a" * 3000, "Allowed: https://host"),
        ("https://h?sig=x", "without \\? and #"),
        ("https://h#x", "without \\? and #"),
    ],
)
def test_other_addresses_are_refused_by_the_fields_name(url: str, why: str) -> None:
    """In one line, whatever is in it."""
    with pytest.raises(InvalidInput, match=why) as refused:
        http_url("arm_endpoint", url)
    assert refused.value.field == "arm_endpoint"
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize(
    "address",
    [
        f"https://user:{SECRET}@h",
        f"https://{SECRET}@h",
        f"https://user:pass/{SECRET}@h",
        f"https://user:pass?{SECRET}@h",
        f"https://h?sig={SECRET}",
        f"user:{SECRET}@h",
        f"//user:{SECRET}@h",
    ],
)
def test_an_address_with_credentials_is_not_repeated(address: str) -> None:
    """Nor kept by the error, which Prefect stores as the result."""
    for check in (http_url, storage_address):
        with pytest.raises(InvalidInput) as refused:
            check("url", address)
        assert SECRET not in f"{refused.value} {refused.value!r} {vars(refused.value)}"


def key_vault(url: str) -> None:
    with credential(None) as reader:
        read_service_principal(url, "prefix-", reader)


@pytest.mark.parametrize(
    ("field", "use"),
    [
        ("base_url", FlinkRestClient),
        ("arm_endpoint", lambda url: ArmClient(RenewedToken(no_token, no_token), arm_endpoint=url)),
        ("authority", lambda url: credential(None, authority=url)),
        ("vault_url", key_vault),
    ],
)
def test_the_library_refuses_them_before_any_call(field: str, use: Callable[[str], object]) -> None:
    """Also where no form has been before."""
    for url in (f"https://user:{SECRET}@h", "https://h:abc", "https://[::1", "https://xn--", ""):
        with pytest.raises(InvalidInput, match=f"^{field}: ") as refused:
            use(url)
        assert SECRET not in str(refused.value)


def no_token() -> SecretStr:
    raise AssertionError("nothing is called")


@given(st.text(max_size=60).map("https://".__add__))
def test_what_is_taken_is_taken_by_httpx(url: str) -> None:
    """Host, port and all, and nothing but InvalidInput is raised."""
    try:
        http_url("url", url)
    except InvalidInput:
        return
    parsed = httpx.Request("GET", url).url
    assert parsed.host
    assert not parsed.userinfo


@pytest.mark.parametrize(
    "address",
    [
        "/savepoints/savepoint-123456-0123456789ab",
        "file:/savepoints",
        "file:///save points/x",
        "s3://bucket/a/b",
        "abfs://container@account.dfs.core.windows.net/x",
        "hdfs://namenode:8020/x",
    ],
)
def test_addresses_in_file_systems_of_flink(address: str) -> None:
    """Whole ones, also with a space."""
    assert storage_address("savepoint", address) == address


@pytest.mark.parametrize(
    "address",
    [
        *("savepoint-1", "file://[", "file://host/x", "file:", "file:/", "/", "", " /x", "/x "),
        *("s3://", "s3://[", "s3:/b", "/a\0", "/a\nb", "/a\x1b[0m", "/a\u202eb", "/" + "x" * 5000),
        *("s3://b/k?x", "s3://b/k#x", "S3 ://b"),
    ],
)
def test_other_addresses_in_file_systems_are_refused(address: str) -> None:
    """Relative ones, those of other machines, and what no line shows."""
    with pytest.raises(InvalidInput, match=r"^savepoint: "):
        storage_address("savepoint", address)


@pytest.mark.parametrize("path", ["", " ", "a\0b", "a\nb", "x" * 256, "x/" * 3000, "\ud800"])
def test_paths_that_no_file_can_have(path: str) -> None:
    """Refused before the operating system is asked, which would say so in its own words."""
    with pytest.raises(InvalidInput, match=r"^ca_file: "):
        file_path("ca_file", path)
    assert file_path("ca_file", "/etc/ssl/my ca.pem") == "/etc/ssl/my ca.pem"


@pytest.mark.parametrize("text", ["", " ", "a\nb", "a\0", "\x1b[31m", "\u202egnp", "a ", "x" * 201])
def test_names_that_do_not_show_what_they_are(text: str) -> None:
    """They would be read as something else in lists and logs."""
    with pytest.raises(InvalidInput, match=r"^job_name: "):
        name("job_name", text)
    assert name("job_name", "Bestellungen (日本) 🏳️‍🌈") == "Bestellungen (日本) 🏳️‍🌈"


def test_what_a_file_address_means_on_this_machine() -> None:
    """In Flink's spelling and in that of people; None when it is another machine's."""
    assert local_path("file:/a%20b") == local_path("file:///a%20b") == "/a b"
    assert local_path("file://localhost/a") == "/a"
    assert local_path("a%20b.jar") == "a%20b.jar"
    assert local_path("file://host/a") is None
    assert local_path("file://[") is None
