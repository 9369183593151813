"""Odd input at every door: refused by name before any call, or handled.

Some hundreds here; INPUTS=20000 tries as many as that, INPUTS_SEED the same ones again.
"""

from __future__ import annotations

import importlib
import os
import random
from pathlib import Path

import pytest
import yaml
from prefect.blocks.core import Block

from benchmarks.doors.input_doors import BLOCKS, FLOWS
from benchmarks.inputs import try_inputs
from flinkglue.blocks.hidden_input import HiddenInput

REPOSITORY = Path(__file__).parents[3]

COUNT = int(os.environ.get("INPUTS", "800"))


@pytest.mark.exhaustive
def test_odd_input_is_refused_by_name_or_handled() -> None:
    """Parameters of all flows, fields of all blocks, options of commands."""
    given = os.environ.get("INPUTS_SEED")
    chosen = random.randrange(1 << 31) if COUNT > 800 else 20261129
    seed = int(given) if given else chosen
    print(f"INPUTS_SEED={seed}")
    assert [ascii(str(finding)) for finding in try_inputs(COUNT, seed)] == []


def test_no_flow_and_no_block_is_left_out() -> None:
    """A new one is tried as well, and its errors hide what was filled in."""
    deployed = yaml.safe_load((REPOSITORY / "prefect.yaml").read_text())["deployments"]
    entrypoints = {each["entrypoint"].rpartition(":")[2] for each in deployed}
    assert entrypoints <= {door.kind.fn.__name__ for door in FLOWS}
    modules = [
        importlib.import_module(f"flinkglue.blocks.{path.stem}")
        for path in (REPOSITORY / "blocks").glob("*.py")
    ]
    ours = {
        kind
        for module in modules
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Block) and kind.__module__ == module.__name__
    }
    assert len(ours) >= 4
    assert ours <= {door.kind for door in BLOCKS}
    assert all(issubclass(kind, HiddenInput) for kind in ours)
