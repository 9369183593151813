"""Jars and savepoints in Amazon S3, and in whatever else speaks its protocol.

S3's API: https://docs.aws.amazon.com/AmazonS3/latest/API/
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from flinkglue.addresses import storage_address
from flinkglue.downloads import DownloadLimits
from flinkglue.errors import (
    AuthenticationFailed,
    Call,
    CallFailed,
    InvalidInput,
    NotFound,
    PermissionDenied,
    ServiceUnavailable,
    Throttled,
)
from flinkglue.lifecycle.backend import StoredFile

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_s3 import S3Client

SERVICE = "Amazon S3"
_CHUNK_BYTES = 1 << 16
_BY_CODE: dict[str, type[CallFailed]] = {
    "NoSuchKey": NotFound,
    "NoSuchBucket": NotFound,
    "403": PermissionDenied,
    "AccessDenied": PermissionDenied,
    "InvalidAccessKeyId": AuthenticationFailed,
    "SignatureDoesNotMatch": AuthenticationFailed,
    "ExpiredToken": AuthenticationFailed,
    "SlowDown": Throttled,
}


class S3Files:
    """Reads files by ``s3://bucket/key``; also spelled ``s3a`` and ``s3p``, as Flink does."""

    def __init__(self, client: S3Client, limits: DownloadLimits | None = None) -> None:
        self._client = client
        self._limits = limits or DownloadLimits()

    def fetch(self, uri: str, path: Path) -> None:
        """Download an object into a file.

        Raises:
            NotFound: There is none.
            CallFailed: S3 refused, or did not answer, or the object is too large.
            DeadlineExceeded: It took too long.
        """
        bucket, key = _parsed(uri)
        began_at = self._limits.clock.monotonic()
        with _our_errors("GetObject", uri), path.open("wb") as file:
            found = self._client.get_object(Bucket=bucket, Key=key)
            with closing(found["Body"]) as body:
                chunks = body.iter_chunks(_CHUNK_BYTES)
                for chunk in self._limits.checked(uri, found["ContentLength"], chunks, began_at):
                    file.write(chunk)

    def list(self, uri: str) -> list[StoredFile]:
        """All objects below an address, none when the bucket has nothing there.

        Raises:
            NotFound: There is no such bucket where these credentials lead.
            CallFailed: S3 refused, or did not answer.
        """
        bucket, key = _parsed(uri)
        prefix = f"{key.rstrip('/')}/" if key else ""
        scheme = uri.partition("://")[0]
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        with _our_errors("ListObjectsV2", uri):
            return [
                StoredFile(
                    f"{scheme}://{bucket}/{found['Key']}",
                    found["Size"],
                    found["LastModified"].timestamp(),
                )
                for page in pages
                for found in page.get("Contents", ())
            ]


def _parsed(uri: str) -> tuple[str, str]:
    bucket, _, key = storage_address("uri", uri).partition("://")[2].partition("/")
    if not bucket:
        raise InvalidInput("uri", uri, "s3://bucket/key")
    return bucket, key.lstrip("/")


@contextmanager
def _our_errors(operation: str, resource: str) -> Iterator[None]:
    from boto3.exceptions import S3TransferFailedError
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        NoCredentialsError,
        ParamValidationError,
    )

    call = Call(SERVICE, operation, resource)
    try:
        yield
    except ClientError as error:
        raise _failure(call, error) from error
    except NoCredentialsError as error:
        raise AuthenticationFailed(*call, str(error)) from error
    except ParamValidationError as error:  # no name of a bucket or key
        raise CallFailed(*call, str(error)) from error
    except (BotoCoreError, S3TransferFailedError) as error:
        raise ServiceUnavailable(*call, str(error)) from error


def _failure(call: Call, error: ClientError) -> CallFailed:
    answer = error.response
    code = answer.get("Error", {}).get("Code", "")
    metadata = answer.get("ResponseMetadata", {})
    status = metadata.get("HTTPStatusCode")
    # A 404 without a code of S3's own comes from what stands before it.
    outage = ServiceUnavailable if status and (status >= 500 or status == 404) else CallFailed
    outage = PermissionDenied if status == 403 else outage
    return _BY_CODE.get(code, outage)(
        *call,
        answer.get("Error", {}).get("Message", str(error)),
        status=status,
        code=code,
        request_id=metadata.get("RequestId"),
    )
