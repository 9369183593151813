"""Each test carries the marker of the folder it lies in; what all of them load is loaded once."""

from __future__ import annotations

import asyncio
import functools
import gc
import signal
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest
from botocore.loaders import JSONFileLoader
from hypothesis import HealthCheck, settings

# A busy machine is no bug, and the same commit passes everywhere or nowhere. To search further:
#   scripts/test tests/unit --hypothesis-profile=search
settings.register_profile(
    "same", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.register_profile("search", parent=settings.get_profile("same"), derandomize=False)
settings.load_profile("same")

# A shell has its background jobs ignore Ctrl-C, and so would what the tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

HERE = Path(__file__).parent
UNTIL_FOLDER_ENDS = pytest.StashKey[ExitStack]()
LONGEST_FIRST = ("scenario", "harness", "contract", "unit")

# Each new session of boto3 reads the models of its services from disk, half a second for EC2 and
# Glue, and most tests have sessions of their own. Only that of S3 is changed by its clients.
_load_file = JSONFileLoader.load_file
_load_once = functools.cache(functools.partial(_load_file, JSONFileLoader()))
JSONFileLoader.load_file = lambda loader, file_path: (
    _load_file(loader, file_path) if "/s3/" in file_path else _load_once(file_path)
)

# Modules and models are half a million objects that stay. By its usual rules the garbage collector
# visits them so often that it takes half of the time of many tests.
gc.set_threshold(20_000, 10, 10)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(getattr(pytest.mark, _folder(item)))
    # The longest files come first, so that the processes of a whole run end together.
    items.sort(key=lambda item: LONGEST_FIRST.index(_folder(item)))


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(HERE).parts[0]


def pytest_collection_finish() -> None:
    """What was imported is not visited any more."""
    gc.collect()
    gc.freeze()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[UNTIL_FOLDER_ENDS] = ExitStack()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Also where the tests of a folder were interrupted."""
    config.stash[UNTIL_FOLDER_ENDS].close()


@pytest.fixture(scope="session")
def until_folder_ends(pytestconfig: pytest.Config) -> ExitStack:
    """Ends servers after the last test of their folder: idle, they take time from other tests."""
    return pytestconfig.stash[UNTIL_FOLDER_ENDS]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, None, None]:
    try:
        yield
    finally:
        if nextitem is None or _folder(nextitem) != _folder(item):
            item.config.stash[UNTIL_FOLDER_ENDS].close()


@pytest.fixture(scope="module", autouse=True)
def no_event_loop_of_an_earlier_module() -> None:
    """A browser that is still open answers every ``asyncio.run`` after it with an error."""
    with pytest.raises(RuntimeError, match="no running event loop"):
        asyncio.get_running_loop()
