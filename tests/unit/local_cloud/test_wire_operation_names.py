"""Requests to Flink and to Blob storage get the services' own operation names."""

import pytest

from localcloud.azure import blob_operations
from localcloud.flink import operations as flink_operations


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("GET", "/overview", "GetOverview"),
        ("GET", "/v1/overview", "GetOverview"),
        ("GET", "/jobs/overview", "ListJobs"),
        ("GET", "/jobs/abc", "GetJob"),
        ("PATCH", "/jobs/abc", "CancelJob"),
        ("POST", "/jars/x_wc.jar/run", "RunJar"),
        ("POST", "/jobs/abc/stop", "StopJob"),
        ("GET", "/jobs/abc/savepoints/def", "GetSavepointStatus"),
        ("GET", "/main.js", "Other"),
        ("DELETE", "/overview", "Other"),
    ],
)
def test_flinks_operations(method: str, path: str, operation: str) -> None:
    assert flink_operations.operation_name({"method": method, "path": path}) == operation


@pytest.mark.parametrize(
    ("method", "path", "query", "operation"),
    [
        ("GET", "/account", b"comp=list", "ListContainers"),
        ("PUT", "/account/jobs", b"restype=container", "CreateContainer"),
        ("GET", "/account/jobs", b"restype=container&comp=list&prefix=a", "ListBlobs"),
        ("PUT", "/account/jobs/a/b.jar", b"", "PutBlob"),
        ("PUT", "/account/jobs/a/b.jar", b"comp=block&blockid=x", "PutBlock"),
        ("PUT", "/account/jobs/a/b.jar", b"comp=blocklist", "PutBlockList"),
        ("HEAD", "/account/jobs/b.jar", b"", "GetBlobProperties"),
        ("PUT", "/account/jobs/b.jar", b"comp=lease", "Other"),
        ("GET", "/", b"", "Other"),
    ],
)
def test_blob_storages_operations(method: str, path: str, query: bytes, operation: str) -> None:
    scope = {"method": method, "path": path, "query_string": query}
    assert blob_operations.operation_name(scope) == operation


def test_each_operation_is_listed_once() -> None:
    for listed in (flink_operations.operations(), blob_operations.operations()):
        names = [operation.operation for operation in listed]
        assert len(names) == len(set(names))
        assert all(operation.description.endswith(".") for operation in listed)
