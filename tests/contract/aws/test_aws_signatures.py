"""Who may call AWS: Amazon's own signers, and requests that are not theirs."""

from __future__ import annotations

import datetime
import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from typing import Any

import boto3
import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.contract.aws.aws_cloud import ROLE, AwsCloud

JSON = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "AWSGlue.GetJobs"}
OWN = hashlib.sha256(b"own").hexdigest()
ODD_KEY = "jobs/a b+c%20d~é/{x}=1&y//z.py"


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsCloud]:
    cloud = AwsCloud(tmp_path_factory.mktemp("aws"))
    cloud.s3.create_bucket(Bucket="own")
    yield cloud
    cloud.close()


@pytest.fixture(autouse=True)
def clock_is_right(aws: AwsCloud) -> Iterator[None]:
    yield
    aws.fault("clock-ahead", seconds=0)


def signed_with(aws: AwsCloud, service: str, **credentials: Any) -> Any:
    account = aws.account
    given = {
        "aws_access_key_id": account["access_key_id"],
        "aws_secret_access_key": account["secret_access_key"],
        **credentials,
    }
    return boto3.client(
        service,
        endpoint_url=account["endpoint_url"],
        region_name=account["region"],
        config=Config(retries={"total_max_attempts": 1}),
        **given,
    )


CALLS = {
    "glue": lambda client: client.get_jobs(),
    "logs": lambda client: client.describe_log_groups(),
    "iam": lambda client: client.list_users(),
    "sts": lambda client: client.get_caller_identity(),
    "ec2": lambda client: client.describe_vpcs(),
    "s3": lambda client: client.list_buckets(),
}
CODES = {
    # service: unknown key, wrong secret, no signature, signed too long ago
    "glue": (
        ("UnrecognizedClientException", 400),
        ("InvalidSignatureException", 400),
        ("MissingAuthenticationTokenException", 400),
        ("InvalidSignatureException", 400),
    ),
    "logs": (
        ("UnrecognizedClientException", 400),
        ("InvalidSignatureException", 400),
        ("MissingAuthenticationTokenException", 400),
        ("InvalidSignatureException", 400),
    ),
    "iam": (
        ("InvalidClientTokenId", 403),
        ("SignatureDoesNotMatch", 403),
        ("MissingAuthenticationToken", 403),
        ("SignatureDoesNotMatch", 403),
    ),
    "sts": (
        ("InvalidClientTokenId", 403),
        ("SignatureDoesNotMatch", 403),
        ("MissingAuthenticationToken", 403),
        ("SignatureDoesNotMatch", 403),
    ),
    "ec2": (
        ("AuthFailure", 401),
        ("AuthFailure", 401),
        ("MissingAuthenticationToken", 403),
        ("RequestExpired", 400),
    ),
    "s3": (
        ("InvalidAccessKeyId", 403),
        ("SignatureDoesNotMatch", 403),
        ("AccessDenied", 403),
        ("RequestTimeTooSkewed", 403),
    ),
}


def refused(call: Any, client: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as raised:
        call(client)
    answer = raised.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize("service", CALLS)
def test_each_service_refuses_strangers_in_its_own_words(aws: AwsCloud, service: str) -> None:
    from botocore import UNSIGNED

    call, (unknown, wrong, missing, late) = CALLS[service], CODES[service]
    account = aws.account
    known = signed_with(aws, service)
    stranger = signed_with(aws, service, aws_access_key_id="AKIAIOSFODNN7EXAMPLE")
    guesser = signed_with(aws, service, aws_secret_access_key="guessed")
    nobody = boto3.client(
        service,
        endpoint_url=account["endpoint_url"],
        region_name=account["region"],
        config=Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}),
    )
    call(known)
    assert refused(call, stranger) == unknown
    assert refused(call, guesser) == wrong
    assert refused(call, nobody) == missing
    aws.fault("clock-ahead", seconds=16 * 60)
    assert refused(call, known) == late
    aws.fault("clock-ahead", seconds=4 * 60)
    call(known)


def test_a_wrong_clock_is_told_with_both_times(aws: AwsCloud) -> None:
    """Five minutes in Glue, fifteen in S3."""
    aws.fault("clock-ahead", seconds=6 * 60)
    with pytest.raises(ClientError, match=r"Signature expired: \d{8}T\d{6}Z is now earlier than"):
        signed_with(aws, "glue").get_jobs()
    signed_with(aws, "s3").list_buckets()
    aws.fault("clock-ahead", seconds=-6 * 60)
    with pytest.raises(ClientError, match=r"Signature not yet current: .* is still later than"):
        signed_with(aws, "glue").get_jobs()
    aws.fault("clock-ahead", seconds=-16 * 60)
    with pytest.raises(ClientError, match="RequestTimeTooSkewed") as raised:
        signed_with(aws, "s3").list_buckets()
    assert raised.value.response["Error"]["MaxAllowedSkewMilliseconds"] == "900000"


def test_odd_names_and_bodies_are_signed_as_they_are_sent(aws: AwsCloud) -> None:
    s3 = aws.s3
    body = bytes(range(256)) * 40
    s3.put_object(
        Bucket="own", Key=ODD_KEY, Body=body, Metadata={"under_score": "a  b"}, ContentType="x/y"
    )
    assert s3.get_object(Bucket="own", Key=ODD_KEY)["Body"].read() == body
    assert [
        each["Key"] for each in s3.list_objects_v2(Bucket="own", Prefix="jobs/a b+")["Contents"]
    ]
    s3.put_object_tagging(
        Bucket="own", Key=ODD_KEY, Tagging={"TagSet": [{"Key": "k", "Value": "v w"}]}
    )
    s3.delete_object(Bucket="own", Key=ODD_KEY)


@pytest.mark.parametrize("version", ["s3v4", None])
def test_a_presigned_url_is_good_for_what_it_says_and_as_long(
    aws: AwsCloud, version: str | None
) -> None:
    """Also Signature Version 2, which boto3 uses for URLs unless told otherwise."""
    parameters = {"Bucket": "own", "Key": ODD_KEY}
    s3 = aws.client("s3", **({"signature_version": version} if version else {}))
    put = s3.generate_presigned_url("put_object", parameters, ExpiresIn=60)
    get = s3.generate_presigned_url("get_object", parameters, ExpiresIn=60)
    assert httpx.put(put, content=b"by URL").status_code == 200
    assert httpx.get(get).content == b"by URL"
    assert httpx.delete(get).status_code == 403
    assert httpx.get(get.replace("own", "other", 1)).status_code == 403
    longer = re.sub(r"Expires=(\d+)", r"Expires=\g<1>9", get)
    assert httpx.get(longer).status_code in (400, 403)
    aws.fault("clock-ahead", seconds=61)
    ended = httpx.get(get)
    assert (ended.status_code, "<Code>AccessDenied</Code>" in ended.text) == (403, True)


def test_temporary_credentials_sign_until_they_end(aws: AwsCloud) -> None:
    sts = aws.client("sts")
    handed_out = [
        sts.assume_role(RoleArn=ROLE, RoleSessionName="session", DurationSeconds=900),
        sts.get_session_token(DurationSeconds=900),
        sts.get_federation_token(Name="user", DurationSeconds=900),
    ]
    for answer in handed_out:
        given = answer["Credentials"]
        session = {
            "aws_access_key_id": given["AccessKeyId"],
            "aws_secret_access_key": given["SecretAccessKey"],
            "aws_session_token": given["SessionToken"],
        }
        glue = signed_with(aws, "glue", **session)
        glue.get_jobs()
        signed_with(aws, "s3", **session).list_buckets()
        for token in (None, "another"):
            other = signed_with(aws, "glue", **{**session, "aws_session_token": token})
            assert refused(CALLS["glue"], other) == ("UnrecognizedClientException", 400)
        aws.fault("clock-ahead", seconds=901)
        later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=901)
        assert glue_signed_at(aws, later, given).json()["__type"] == "ExpiredTokenException"
        aws.fault("clock-ahead", seconds=0)


def test_the_keys_of_an_iam_user_sign_while_they_are_active(aws: AwsCloud) -> None:
    iam = aws.client("iam")
    iam.create_user(UserName="u")
    key = iam.create_access_key(UserName="u")["AccessKey"]
    client = signed_with(
        aws,
        "glue",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )
    client.get_jobs()
    iam.update_access_key(UserName="u", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    assert refused(CALLS["glue"], client) == ("UnrecognizedClientException", 400)


def glue_signed_at(aws: AwsCloud, at: datetime.datetime, given: dict[str, Any]) -> httpx.Response:
    """GetJobs as a machine with another clock signs it."""
    request = AWSRequest("POST", f"{aws.account['endpoint_url']}/", data="{}", headers=dict(JSON))
    credentials = Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    signer = SigV4Auth(credentials, "glue", aws.account["region"])
    request.context["timestamp"] = at.strftime("%Y%m%dT%H%M%SZ")
    signer._modify_request_before_signing(request)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    signer._inject_signature_to_request(request, signer.signature(text, request))
    return httpx.post(request.url, content="{}", headers=dict(request.headers.items()))


def test_what_is_signed_is_not_good_for_another_request(aws: AwsCloud) -> None:
    """Caught on its way and sent again with another body, path, operation or header."""
    account = aws.account
    credentials = Credentials(account["access_key_id"], account["secret_access_key"])

    def caught(service: str, method: str, path: str, body: str, headers: dict[str, str]) -> Any:
        url = account["endpoint_url"] + path
        request = AWSRequest(method, url, data=body, headers=headers)
        SigV4Auth(credentials, service, account["region"]).add_auth(request)
        return url, dict(request.headers.items())

    url, headers = caught("glue", "POST", "/", "{}", JSON)
    assert httpx.post(url, content="{}", headers=headers).status_code == 200
    delete = {**headers, "X-Amz-Target": "AWSGlue.DeleteJob"}
    for content, changed in ((b'{"MaxResults": 1}', headers), (b"{}", delete)):
        answer = httpx.post(url, content=content, headers=changed)
        assert (answer.status_code, answer.json()["__type"]) == (400, "InvalidSignatureException")
    assert httpx.post(f"{url}?x=y", content="{}", headers=headers).status_code == 400

    url, headers = caught("s3", "PUT", "/own/acl", "own", {"x-amz-content-sha256": OWN})
    more = {**headers, "x-amz-acl": "public-read"}
    unsigned = httpx.put(url, content=b"own", headers=more)
    assert (unsigned.status_code, "which were not signed" in unsigned.text) == (403, True)

    hashed = {"x-amz-content-sha256": OWN}
    url, headers = caught("s3", "PUT", "/own/signed", "own", hashed)
    other = httpx.put(url, content=b"other", headers=headers)
    assert (other.status_code, "XAmzContentSHA256Mismatch" in other.text) == (400, True)
    assert httpx.put(url + "2", content=b"own", headers=headers).status_code == 403
    assert httpx.put(url, content=b"own", headers=headers).status_code == 200


def chunk_signed(aws: AwsCloud, chunks: list[bytes], tamper: bool = False) -> httpx.Response:
    """An upload whose chunks are signed one by one, as Java's SDK sends it over http."""
    account = aws.account
    at = datetime.datetime.now(datetime.UTC)
    day, stamp = at.strftime("%Y%m%d"), at.strftime("%Y%m%dT%H%M%SZ")
    host = account["endpoint_url"].removeprefix("http://")
    hashed = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    scope = f"{day}/{account['region']}/s3/aws4_request"
    canonical = (
        f"PUT\n/own/chunked\n\nhost:{host}\nx-amz-content-sha256:{hashed}\nx-amz-date:{stamp}\n"
        f"x-amz-decoded-content-length:{sum(map(len, chunks))}\n\n"
        f"host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length\n{hashed}"
    )
    key = f"AWS4{account['secret_access_key']}".encode()
    for word in (day, account["region"], "s3", "aws4_request"):
        key = hmac.digest(key, word.encode(), "sha256")

    def sign(text: str) -> str:
        return hmac.digest(key, text.encode(), "sha256").hex()

    def sha(content: bytes) -> str:
        return hashlib.sha256(content).hexdigest()

    before = seed = sign(f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{sha(canonical.encode())}")
    body = b""
    for chunk in [*chunks, b""]:
        text = f"AWS4-HMAC-SHA256-PAYLOAD\n{stamp}\n{scope}\n{before}\n{sha(b'')}\n{sha(chunk)}"
        before = sign(text)
        sent = chunk.replace(b"a", b"b") if tamper else chunk
        body += f"{len(sent):x};chunk-signature={before}\r\n".encode() + sent + b"\r\n"
    headers = {
        "x-amz-content-sha256": hashed,
        "x-amz-date": stamp,
        "x-amz-decoded-content-length": str(sum(map(len, chunks))),
        "content-encoding": "aws-chunked",
        "authorization": f"AWS4-HMAC-SHA256 Credential={account['access_key_id']}/{scope},"
        "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length,"
        f"Signature={seed}",
    }
    return httpx.put(f"{account['endpoint_url']}/own/chunked", content=body, headers=headers)


def test_each_chunk_of_a_signed_stream_is_checked(aws: AwsCloud) -> None:
    sent = chunk_signed(aws, [b"a" * 70_000, b"the rest"])
    assert sent.status_code == 200, sent.text
    stored = aws.s3.get_object(Bucket="own", Key="chunked")["Body"].read()
    assert stored == b"a" * 70_000 + b"the rest"
    assert chunk_signed(aws, [b"a" * 9], tamper=True).status_code == 400
    assert aws.s3.get_object(Bucket="own", Key="chunked")["Body"].read() == stored


@pytest.mark.parametrize(
    ("method", "path", "content"),
    [
        ("GET", "/moto-api/data.json", ""),
        ("POST", "/moto-api/reset", ""),
        ("GET", "/latest/meta-data/iam/security-credentials/default-role", ""),
        ("POST", "/", "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=" + ROLE),
        ("POST", "/?X-Amz-Credential=AKIA/20260101/us-east-1/glue/aws4_request", "{}"),
        ("PUT", "/strangers-bucket", ""),
        ("GET", "/?AWSAccessKeyId=x&Signature=y&Expires=9999999999", ""),
    ],
)
def test_nothing_answers_without_a_signature(
    aws: AwsCloud, method: str, path: str, content: str
) -> None:
    kind = {"Content-Type": "application/x-www-form-urlencoded"} if content else {}
    answer = httpx.request(
        method, aws.account["endpoint_url"] + path, content=content, headers=kind
    )
    assert answer.status_code in (400, 403), answer.text
    assert "SecretAccessKey" not in answer.text


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer x",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=A/2026/r/s/aws4_request, SignedHeaders=host, Signature=x",
        "AWS4-HMAC-SHA256 Credential=A/20260101/r/s3/aws4_request, SignedHeaders=, Signature=x",
        "AWS4-ECDSA-P256-SHA256 Credential=A/20260101/s3/aws4_request, Signature=x",
        "AWS AKIA:signature",
    ],
)
def test_a_malformed_signature_is_refused_as_such(aws: AwsCloud, authorization: str) -> None:
    headers = {"Authorization": authorization, "X-Amz-Date": "20260101T000000Z"}
    answer = httpx.get(aws.account["endpoint_url"] + "/", headers=headers)
    assert answer.status_code in (400, 403)
    json_answer = httpx.post(
        aws.account["endpoint_url"] + "/", content=json.dumps({}), headers={**headers, **JSON}
    )
    assert json_answer.status_code in (400, 403)
