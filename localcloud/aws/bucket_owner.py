"""S3's bucket owner condition, which moto does not know."""

from __future__ import annotations

from moto.s3.models import s3_backends

from localcloud.web.wire import Environ

OWNER_HEADER = "HTTP_X_AMZ_EXPECTED_BUCKET_OWNER"
"""On every operation of a bucket but CreateBucket; on objects as well (S3's user guide, "Verifying
bucket ownership with bucket owner condition")."""


def is_owned_otherwise(environ: Environ) -> bool:
    """Whether the request names another owner than its bucket has: S3 answers 403 AccessDenied."""
    expected = environ.get(OWNER_HEADER)
    bucket_name = environ.get("PATH_INFO", "").lstrip("/").partition("/")[0]
    _, owner = s3_backends.bucket_accounts.get(bucket_name, ("aws", expected))
    return expected is not None and owner != expected
