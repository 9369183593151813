"""How much a job definition asks for: data processing units, nodes, addresses."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

DPU_PER_WORKER = {
    "Standard": 1.0,
    "G.025X": 0.25,
    "G.1X": 1.0,
    "G.2X": 2.0,
    "G.4X": 4.0,
    "G.8X": 8.0,
    "G.12X": 12.0,
    "G.16X": 16.0,
    "R.1X": 1.0,
    "R.2X": 2.0,
    "R.4X": 4.0,
    "R.8X": 8.0,
    "Z.2X": 2.0,
}

_PYTHON_SHELL_DPU = 0.0625
_DEFAULT_DPU = 10.0


def is_python_shell(definition: Mapping[str, Any]) -> bool:
    """Whether the job is one Python process on one node."""
    return bool(definition.get("Command", {}).get("Name") == "pythonshell")


def max_capacity(definition: Mapping[str, Any]) -> float:
    """What GetJob and GetJobRun show as MaxCapacity, in DPU."""
    if "WorkerType" in definition and "NumberOfWorkers" in definition:
        return DPU_PER_WORKER[definition["WorkerType"]] * float(definition["NumberOfWorkers"])
    for name in ("MaxCapacity", "AllocatedCapacity"):
        if name in definition:
            return float(definition[name])
    return _PYTHON_SHELL_DPU if is_python_shell(definition) else _DEFAULT_DPU


def nodes(definition: Mapping[str, Any], nodes_beside_workers: int) -> int:
    """How many nodes a run wants, each with one address of the subnet."""
    if is_python_shell(definition):
        return 1
    workers = definition.get("NumberOfWorkers") or math.ceil(max_capacity(definition))
    return int(workers) + nodes_beside_workers


def is_metered_by_node(definition: Mapping[str, Any], arguments: Mapping[str, str]) -> bool:
    """Whether runs report DPUSeconds: flexible execution or auto scaling."""
    auto_scaling = arguments.get("--enable-auto-scaling", "false").lower() == "true"
    return definition.get("ExecutionClass") == "FLEX" or auto_scaling
