"""The flow at an entrypoint, loaded as Prefect does it.

Prefect runs the file of a flow under a lock of the whole process: one whose import hangs would keep
all others from ever being loaded. The files are run here instead, without it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any

from prefect.exceptions import MissingFlowError, ScriptError
from prefect.flows import Flow, load_flow_from_entrypoint, load_function_and_convert_to_flow


def loaded_flow(entrypoint: str) -> Flow[..., Any]:
    """The flow, or the function as a flow.

    Args:
        entrypoint: `file.py:name`, by the working directory, or the import path of a module.

    Raises:
        ScriptError: The file raises something.
        MissingFlowError: There is nothing of that name in the file.
    """
    script, _, name = entrypoint.rpartition(":")
    if not script.endswith(".py"):
        return _of_a_module(entrypoint)
    try:
        found = attrgetter(name)(_run(script))
    except AttributeError as error:
        raise MissingFlowError(f"there is no {name!r} in {script!r}") from error
    return found if isinstance(found, Flow) else Flow(found, log_prints=True)


def _of_a_module(entrypoint: str) -> Flow[..., Any]:
    try:
        return load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False)
    except MissingFlowError:
        return load_function_and_convert_to_flow(entrypoint)


def _run(script: str) -> ModuleType:
    """The file as a module, with the name that Prefect gives it."""
    path = Path(script).resolve()
    name = path.stem
    if name in sys.modules:
        digest = hashlib.sha1(str(path).encode(), usedforsecurity=False).hexdigest()[:16]
        name = f"__prefect_loader_{digest}__"
    spec = importlib.util.spec_from_file_location(
        name, path, submodule_search_locations=[str(path.parent), str(Path.cwd())]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ScriptError(user_exc=error, path=script) from error
    return module
