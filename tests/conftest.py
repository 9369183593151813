"""Each test carries the marker of its folder, and runs beside those that share its servers."""

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
# What is started once for many tests: two processes of one test run must not both start it.
SHARED = ("deployed", "local_cloud", "prefect_files")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        speed = item.path.relative_to(HERE).parts[0]
        item.add_marker(getattr(pytest.mark, speed))
    shared_by_file = _shared_by_file(items)
    for item in items:
        group = shared_by_file.get(item.path, str(item.path.relative_to(HERE)))
        item.add_marker(pytest.mark.xdist_group(group))


def _shared_by_file(items: list[pytest.Item]) -> dict[Path, str]:
    found = {}
    for item in items:
        for name in SHARED:
            if name in getattr(item, "fixturenames", ()):
                found[item.path] = min(name, found.get(item.path, name), key=SHARED.index)
    return found
