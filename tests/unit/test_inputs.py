"""Odd input at every door: refused by name before any call, or handled.

Some hundreds here; INPUTS=20000 tries as many as that, INPUTS_SEED the same ones again.
"""

from __future__ import annotations

import os
import random

from benchmarks.inputs import try_inputs

COUNT = int(os.environ.get("INPUTS", "800"))


def test_odd_input_is_refused_by_name_or_handled() -> None:
    """Parameters of all flows, fields of all blocks, options of commands."""
    given = os.environ.get("INPUTS_SEED")
    chosen = random.randrange(1 << 31) if COUNT > 800 else 20261129
    seed = int(given) if given else chosen
    print(f"INPUTS_SEED={seed}")
    assert [ascii(str(finding)) for finding in try_inputs(COUNT, seed)] == []
