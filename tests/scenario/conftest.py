"""One whole local cloud for all scenarios, reset before each."""

from localcloud.fixture import cloud, local_cloud, local_cloud_parts

__all__ = ["cloud", "local_cloud", "local_cloud_parts"]
