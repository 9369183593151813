"""The page of served operations is generated, and agrees with the parts."""

import pytest

from localcloud.assembly import PART_NAMES
from localcloud.catalogue import PAGE, render

pytestmark = pytest.mark.contract


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == render(), "run: python -m localcloud operations"


def test_each_part_tells_what_it_serves_and_what_it_leaves_out() -> None:
    sections = render().split("\n## ")[1:]
    for name, section in zip(PART_NAMES, sections, strict=False):
        assert f"(`{name}`)" in section.splitlines()[0]
        assert "| what it does here |" in section
        assert "Left out on purpose:" in section
