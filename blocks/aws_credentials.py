"""prefect_aws's AWS Credentials block, without the rest of that package.

``import prefect_aws`` also loads its ECS worker, its observers and an asynchronous HTTP client:
more than a flow of this project loads itself, and each process of a flow run would load it again.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prefect_aws.credentials import AwsCredentials

_PACKAGE = "prefect_aws"


def _import_credentials_alone() -> None:
    """Import ``prefect_aws.credentials``, and leave its package to whoever imports that later.

    Python runs a package's ``__init__`` before a module of it, unless the package is there already.
    The real package finds this module in ``sys.modules``, so there is one class in any order.
    """
    if _PACKAGE in sys.modules or (spec := find_spec(_PACKAGE)) is None:
        return
    sys.modules[_PACKAGE] = module_from_spec(spec)
    try:
        import_module(f"{_PACKAGE}.credentials")
    finally:
        del sys.modules[_PACKAGE]


if not TYPE_CHECKING:
    _import_credentials_alone()
    from prefect_aws.credentials import AwsCredentials

__all__ = ["AwsCredentials"]
