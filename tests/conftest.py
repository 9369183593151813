"""Each test carries the marker of the folder it lies in."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        speed = item.path.relative_to(HERE).parts[0]
        item.add_marker(getattr(pytest.mark, speed))
