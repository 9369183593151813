"""Each test carries the marker of the folder it lies in."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no bug, and the same commit passes everywhere or nowhere. To search further:
#   scripts/test tests/unit --hypothesis-profile=search
settings.register_profile(
    "same", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.register_profile("search", parent=settings.get_profile("same"), derandomize=False)
settings.load_profile("same")

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        speed = item.path.relative_to(HERE).parts[0]
        item.add_marker(getattr(pytest.mark, speed))
