"""Scripts in S3, under names made of their content: a job never runs another script by accident."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flinkglue.errors import InvalidInput, NotFound, PermissionDenied
from flinkglue.glue.api.boto3_clients import account_of, s3_client
from flinkglue.glue.errors import translated

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_s3.client import S3Client

LARGEST_SCRIPT_BYTES = 10 * 1024 * 1024
_PREFIX = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?P<key>(/[^/?#\s]+)*)/?")
PREFIX_ALLOWED = "s3://bucket or s3://bucket/folder, without query"


@dataclass(frozen=True)
class Script:
    """A script and where it lies, or will lie."""

    name: str
    content: bytes
    bucket: str
    key: str

    @property
    def location(self) -> str:
        """Its address."""
        return f"s3://{self.bucket}/{self.key}"

    @classmethod
    def read(cls, path: str, prefix: str) -> Script:
        """Read a local file and name it by its content.

        Args:
            prefix: Where scripts are kept: ``s3://bucket`` or ``s3://bucket/folder``.

        Raises:
            InvalidInput: There is no such file, it is too large, or the prefix is not one of S3.
        """
        match = _PREFIX.fullmatch(prefix)
        if not match:
            raise InvalidInput("script_prefix", prefix, PREFIX_ALLOWED)
        try:
            content = Path(path).read_bytes()
        except (OSError, ValueError) as error:
            raise InvalidInput("script", path, "a file that can be read by this process") from error
        if len(content) > LARGEST_SCRIPT_BYTES:
            limit = f"a file of at most {LARGEST_SCRIPT_BYTES} bytes"
            raise InvalidInput("script", path, limit)
        file = Path(path)
        digits = hashlib.sha256(content).hexdigest()[:16]
        folder = match["key"].lstrip("/")
        name = f"{re.sub(r'[^A-Za-z0-9._-]+', '-', file.stem)}-{digits}{file.suffix}"
        return cls(file.name, content, match["bucket"], f"{folder}/{name}" if folder else name)


class ScriptStore:
    """Where scripts are kept.

    A bucket's name that is free, or free again, can be anybody's, and the job runs what lies there
    with its role: so each call says whose bucket it must be.
    """

    def __init__(self, s3: S3Client, bucket_owner: str) -> None:
        self._s3 = s3
        self._bucket_owner = bucket_owner

    @classmethod
    def connect(
        cls,
        session: boto3.Session,
        client_parameters: Mapping[str, Any] | None = None,
        bucket_owner: str | None = None,
    ) -> ScriptStore:
        """A store in the buckets of one account.

        Args:
            bucket_owner: That account; None: the one that the credentials belong to.

        Raises:
            CallFailed: STS did not return that account.
        """
        owner = bucket_owner or account_of(session, client_parameters)
        return cls(s3_client(session, client_parameters), owner)

    def put(self, script: Script) -> bool:
        """Upload it unless it is there. A repeated call changes nothing.

        Returns:
            Whether it was uploaded by this call.

        Raises:
            CallFailed: S3 refused, or did not answer. https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
        """
        if self._is_there(script):
            return False
        digest = base64.b64encode(hashlib.sha256(script.content).digest()).decode()
        advice = (
            f"the bucket must be one of account {self._bucket_owner}, or name its owner as "
            "script_bucket_owner; and the caller takes the permission s3:PutObject"
        )
        with translated(
            "Amazon S3", "PutObject", script.location, advice={PermissionDenied: advice}
        ):
            self._s3.put_object(
                Bucket=script.bucket,
                Key=script.key,
                Body=script.content,
                ChecksumSHA256=digest,
                ExpectedBucketOwner=self._bucket_owner,
            )
        return True

    def _is_there(self, script: Script) -> bool:
        try:
            with translated("Amazon S3", "HeadObject", script.location):
                found = self._s3.head_object(
                    Bucket=script.bucket, Key=script.key, ExpectedBucketOwner=self._bucket_owner
                )
        except (NotFound, PermissionDenied):
            # S3 answers 403 for a missing object to callers without s3:ListBucket. The name tells
            # the content, so that writing it again changes nothing.
            return False
        return found["ContentLength"] == len(script.content)
