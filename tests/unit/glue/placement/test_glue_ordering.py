"""Which connection first."""

from __future__ import annotations

import random
import re
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flinkglue.errors import InvalidInput
from flinkglue.glue.models import Connection, CoolDown, Group, Ranking, Subnet
from flinkglue.glue.placement.knowledge import Knowledge
from flinkglue.glue.placement.ranking import rank
from flinkglue.glue.placement.strategies import STRATEGIES
from flinkglue.glue.placement.strategy_by_name import allowed_modules, load_strategy

ROOT = Path(__file__).resolve().parents[4]


def connection(name: str, free: int | None, state: str = "available") -> Connection:
    if free is None:
        return Connection(name, problem="it could not be looked up")
    subnet = Subnet(f"subnet-{name}", "vpc-1", "us-east-1a", "10.0.0.0/24", free, state)
    return Connection(name, subnet_id=subnet.subnet_id, subnet=subnet)


def ordered(
    connections: list[Connection], strategy: str = "capacity", needed: int = 10, **more: Any
) -> Ranking:
    more.setdefault("seed", 0)
    chosen = load_strategy(strategy, ["nearest_to_the_data"])
    return rank(connections, needed, chosen, strategy_name=strategy, **more)


connections_strategy = st.lists(
    st.builds(
        connection,
        name=st.text(alphabet="abcdef", min_size=1, max_size=3),
        free=st.none() | st.integers(0, 20),
        state=st.sampled_from(["available", "pending"]),
    ),
    max_size=12,
    unique_by=lambda c: c.name,
)


@given(
    connections=connections_strategy,
    strategy=st.sampled_from(sorted(STRATEGIES)),
    needed=st.integers(1, 20),
    seed=st.integers(0, 2**31),
    data=st.data(),
)
def test_an_order_holds_each_connection_once_and_is_repeatable_in_any_call_order(
    connections: list[Connection], strategy: str, needed: int, seed: int, data: st.DataObject
) -> None:
    failed = data.draw(st.lists(st.sampled_from([c.name for c in connections] or ["x"])))
    first = ordered(connections, strategy, needed, seed=seed, failed=failed)
    shuffled = data.draw(st.permutations(connections))
    again = ordered(shuffled, strategy, needed, seed=seed, failed=failed)
    assert sorted(first.connection_names) == sorted(c.name for c in connections)
    assert again == first
    assert [r.place for r in first.connections] == list(range(1, len(connections) + 1))


@given(
    connections=connections_strategy,
    strategy=st.sampled_from(sorted(STRATEGIES)),
    seed=st.integers(0, 99),
)
def test_unfit_and_unknown_connections_come_after_fitting_ones_and_are_never_dropped(
    connections: list[Connection], strategy: str, seed: int
) -> None:
    tiers = {Group.GOOD: 0, Group.USABLE: 0, Group.UNFIT: 1, Group.UNKNOWN: 2}
    places = [tiers[r.group] for r in ordered(connections, strategy, seed=seed).connections]
    if 0 not in places:  # Glue would take the one free address of an unfit subnet
        places = [{1: 2, 2: 1}[place] for place in places]
    assert places == sorted(places)
    assert len(places) == len(connections)


def test_the_page_lists_the_classes_in_the_order_of_the_code() -> None:
    """Once with, once without a connection that holds the run."""
    page = (ROOT / "docs" / "explanation" / "glue-selection.md").read_text()
    _, _, after = page.partition("| class | the connection's subnet |\n|---|---|\n")
    table, _, paragraph = after.partition("\n\n")
    fit = [connection("good", 20), connection("usable", 5), connection("failed", 20)]
    rest = [
        connection("unfit", 1),
        connection("unknown", None),
        replace(connection("misconfigured", 20), needs_fix=True),
        connection("failed, no longer fits", 1),
    ]
    failed = ["failed", "failed, no longer fits"]
    ranked = ordered([*fit, *rest], failed=failed).connection_names
    assert [row.split(" | ")[0].strip("| ") for row in table.splitlines()] == ranked
    named = re.findall(r"\*([\w, ]+)\*", paragraph.partition("\n\n")[0].lower())
    assert named == ordered(rest, failed=failed).connection_names


def test_when_nothing_fits_glue_is_expected_to_try_what_could_not_be_read() -> None:
    ranking = ordered([connection("one", 1), connection("denied", None), connection("full", 0)])
    assert ranking.connection_names == ["denied", "full", "one"]
    assert ranking.expected is not None
    assert ranking.expected.connection_name == "denied"


def test_capacity_takes_the_most_free_addresses_first_and_equal_ones_by_name() -> None:
    ranking = ordered([connection("b", 5), connection("c", 50), connection("a", 5)])
    assert ranking.connection_names == ["c", "a", "b"]


def test_random_puts_every_good_connection_before_every_usable_one() -> None:
    connections = [connection(n, 10) for n in "abc"] + [connection(n, 9) for n in "xyz"]
    orders = {
        tuple(ordered(connections, "random", seed=seed).connection_names) for seed in range(200)
    }
    assert all(set(order[:3]) == set("abc") for order in orders)
    assert len(orders) == 36, "every order inside the groups is drawn at some time"


def test_groups_are_good_from_what_is_needed_usable_from_two_and_else_unfit() -> None:
    connections = [connection(f"{free:02}", free) for free in (0, 1, 2, 9, 10, 11)]
    groups = {r.connection_name: r.group for r in ordered(connections, needed=10).connections}
    assert groups == {
        "00": Group.UNFIT,
        "01": Group.UNFIT,
        "02": Group.USABLE,
        "09": Group.USABLE,
        "10": Group.GOOD,
        "11": Group.GOOD,
    }


def test_a_subnet_that_is_not_available_is_unfit_however_empty() -> None:
    ranking = ordered([connection("a", 99, "pending"), connection("b", 2)])
    assert ranking.connection_names == ["b", "a"]


def test_connections_that_failed_go_after_all_that_fit_and_the_latest_failure_last() -> None:
    connections = [connection("a", 99), connection("b", 50), connection("c", 20)]
    ranking = ordered(connections, failed=["a", "b", "a"])
    assert ranking.connection_names == ["c", "b", "a"]
    assert [r.failed_before for r in ranking.connections] == [False, True, True]


def test_a_connection_that_failed_is_still_better_than_one_without_room() -> None:
    """Glue would take the one free address of `b`, and the run would starve there."""
    connections = [connection("a", 99), connection("b", 1), connection("c", None)]
    ranking = ordered(connections, failed=["a"])
    assert ranking.connection_names == ["a", "b", "c"]
    assert ranking.expected == ranking.connections[0]


def test_an_order_is_kept_for_an_attempt_whose_connection_was_not_to_blame() -> None:
    """Another seed would shuffle, and other connections have more room now."""
    before = ordered([connection(name, 20) for name in "abcd"], "random", seed=5)
    first = before.connection_names[0]
    now = [connection(name, 20 if name == first else 90) for name in "abcd"]
    again = ordered(now, "random", seed=6, kept=before)
    assert again.connection_names == before.connection_names
    assert [r.place for r in again.connections] == [1, 2, 3, 4]
    assert {r.free_addresses for r in again.connections} == {20, 90}
    assert (before.kept, again.kept) == (False, True)


@pytest.mark.parametrize(
    ("free", "failed_lately"), [(9, False), (1, False), (None, False), (20, True)]
)
def test_an_order_is_made_anew_when_its_first_connection_is_not_as_good_any_more(
    free: int | None, failed_lately: bool
) -> None:
    before = ordered([connection("a", 50), connection("b", 30)], "capacity")
    assert before.connection_names == ["a", "b"]
    cool_down = CoolDown("a", "subnet-a", "Resource unavailable")
    known = Knowledge(cooled_down={("a", "subnet-a"): cool_down} if failed_lately else {})
    now = [connection("a", free), connection("b", 30)]
    again = ordered(now, "capacity", kept=before, knowledge=known)
    assert again.connection_names == ["b", "a"]
    assert not again.kept


def test_an_order_of_other_connections_is_not_kept() -> None:
    before = ordered([connection("a", 50), connection("b", 30)], "capacity")
    again = ordered([connection("a", 50), connection("c", 70)], "capacity", kept=before)
    assert again.connection_names == ["c", "a"]


def test_an_own_strategy_never_gets_an_empty_list() -> None:
    """It is not called for a group that nothing is in."""

    def first_is_largest(connections, rng):
        largest = max(connections, key=lambda c: c["free_addresses"])
        return [largest["name"], *(c["name"] for c in connections if c is not largest)]

    connections = [connection("a", 10), connection("b", 50)]
    ranking = rank(connections, 2, first_is_largest, 1, strategy_name="own:first_is_largest")
    assert ranking.connection_names == ["b", "a"]


def test_glue_is_expected_to_take_the_first_connection_with_a_free_address() -> None:
    ranking = ordered([connection("full", 0), connection("one", 1)])
    assert ranking.expected is not None
    assert ranking.expected.connection_name == "one"
    assert ordered([connection("full", 0)]).expected is None


@pytest.fixture
def own_module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("nearest_to_the_data")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def test_an_own_strategy_gets_plain_values_of_what_fits_and_returns_names(
    own_module: ModuleType,
) -> None:
    seen: list[dict[str, Any]] = []

    def by_cidr(connections: list[dict[str, Any]]) -> list[str]:
        seen.extend(connections)
        return [c["name"] for c in reversed(connections)]

    own_module.by_cidr = by_cidr  # type: ignore[attr-defined]
    connections = [connection("a", 20), connection("b", 3), connection("full", 0)]
    ranking = ordered(connections, "nearest_to_the_data:by_cidr")
    assert ranking.connection_names == ["b", "a", "full"]
    assert seen[0] == {
        "name": "a",
        "position": 0,
        "connection_type": "",
        "subnet_id": "subnet-a",
        "vpc_id": "vpc-1",
        "availability_zone": "us-east-1a",
        "cidr_block": "10.0.0.0/24",
        "free_addresses": 20,
        "reserved_addresses": 0,
        "live_runs_in_zone": 0,
        "needed_addresses": 10,
        "group": "good",
    }


def test_an_own_strategy_draws_the_same_for_the_same_seed(own_module: ModuleType) -> None:
    def drawn(connections: list[dict[str, Any]], rng: random.Random) -> list[str]:
        return rng.sample([c["name"] for c in connections], len(connections))

    own_module.drawn = drawn  # type: ignore[attr-defined]
    connections = [connection(f"c{n}", 20) for n in range(9)]
    orders = [
        ordered(connections, "nearest_to_the_data:drawn", seed=seed).connection_names
        for seed in (1, 1, 2)
    ]
    assert orders[0] == orders[1] != orders[2]


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        (["a"], "it left out: b"),
        (["a", "b", "b"], "it repeated: b"),
        (["a", "b", "z"], "it returned unknown names: z"),
        (("a", "b"), "it returned tuple, not a list of strings"),
        (None, "it returned NoneType"),
    ],
)
def test_an_own_strategy_that_loses_or_invents_names_is_told_which_rule_it_broke(
    own_module: ModuleType, answer: Any, rule: str
) -> None:
    own_module.broken = lambda connections: answer  # type: ignore[attr-defined]
    with pytest.raises(InvalidInput, match=rule):
        ordered([connection("a", 20), connection("b", 20)], "nearest_to_the_data:broken")


def test_an_own_strategy_that_raises_is_named_with_its_error(own_module: ModuleType) -> None:
    own_module.broken = lambda connections: connections["a"]  # type: ignore[attr-defined]
    with pytest.raises(InvalidInput, match="does not raise; TypeError"):
        ordered([connection("a", 20)], "nearest_to_the_data:broken")


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("cheapest", "random, capacity, .*or your own module:function"),
        ("", "random, capacity, .*or your own module:function"),
        (":f", "random, capacity, .*or your own module:function"),
        (".rel:f", "Listed now: .*math"),
        ("sys:exit", "FLINKGLUE_STRATEGY_MODULES lists the module .*Listed now: .*math"),
        ("math.sub:f", "Listed now: .*math"),
        ("math:f()", "or your own module:function"),
        ("math:\x1b[31m", "or your own module:function"),
        ("no_such_module:f", "No module named 'no_such_module'"),
        ("math:no_such_function", "a function that math has"),
        ("math:pi", "a function that math has"),
    ],
)
def test_an_unknown_strategy_is_refused_with_what_is_allowed(name: str, allowed: str) -> None:
    with pytest.raises(InvalidInput, match=allowed) as refused:
        load_strategy(name, ["math", "no_such_module"])
    assert refused.value.field == "strategy"
    assert "\x1b" not in str(refused.value)


def test_a_module_that_is_not_listed_is_not_even_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Importing runs its code. One that is listed is imported; when that fails, it says why."""
    (tmp_path / "of_a_stranger.py").write_text("import sys\nsys.exit('ran')\n")
    (tmp_path / "of_the_operator.py").write_text("raise RuntimeError('no configuration')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(InvalidInput, match="Listed now: of_the_operator"):
        load_strategy("of_a_stranger:order", ["of_the_operator"])
    with pytest.raises(InvalidInput, match="RuntimeError: no configuration"):
        load_strategy("of_the_operator:order", ["of_the_operator"])


def test_the_operator_lists_modules_where_flows_run() -> None:
    """With commas between; at first there are none."""
    assert allowed_modules({}) == frozenset()
    assert allowed_modules({"FLINKGLUE_STRATEGY_MODULES": " a.b, c ,"}) == {"a.b", "c"}


def test_the_strategies_do_not_touch_the_shared_random_state() -> None:
    random.seed(7)
    expected = random.random()
    random.seed(7)
    ordered([connection(n, 10) for n in "abcd"], "random", seed=1)
    assert random.random() == expected
