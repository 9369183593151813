"""The forms that a person fills in once, as Prefect blocks.

    prefect block register -m flinkglue.blocks

Each is imported when it is used: a flow of one cloud does not load the packages of another.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_MODULES = {
    "EntraServicePrincipal": "azure_sign_in",
    "KeyVaultServicePrincipal": "azure_sign_in",
    "HDInsightFlinkCluster": "azure",
    "FlinkRestCluster": "flink",
    "GlueJobDefinition": "glue_job_definition",
}


def __getattr__(name: str) -> Any:
    if name == "BLOCK_TYPES":
        return tuple(__getattr__(each) for each in _MODULES)
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])
