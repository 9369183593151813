"""Which parts there are, what each needs, and how they are built; imported only when selected."""

from __future__ import annotations

from collections.abc import Iterable

from localcloud.config import CloudConfig
from localcloud.part import Part
from localcloud.web.wire import Wire

PART_NAMES = ("flink", "blob", "entra", "keyvault", "arm", "aws")

_NEEDS: dict[str, tuple[str, ...]] = {
    "keyvault": ("entra",),
    "arm": ("entra", "flink", "blob"),
}
_AZURE = {"flink", "blob", "entra", "keyvault", "arm"}


def with_needs(names: Iterable[str]) -> list[str]:
    """The named parts and those that they need, in the order of ``PART_NAMES``.

    Raises:
        ValueError: There is no part of that name.
    """
    wanted: set[str] = set()
    for name in names:
        if name not in PART_NAMES:
            allowed = ", ".join(PART_NAMES)
            raise ValueError(f"part: {name!r} is not accepted. Allowed: {allowed}")
        wanted |= {name, *_NEEDS.get(name, ())}
    return [name for name in PART_NAMES if name in wanted]


def start_order(parts: Iterable[Part]) -> list[list[Part]]:
    """The parts in groups: those of one group can start side by side, after the groups before."""
    parts = list(parts)
    free = [part for part in parts if part.name not in _NEEDS]
    dependent = [part for part in parts if part.name in _NEEDS]
    return [group for group in (free, dependent) if group]


def build_parts(config: CloudConfig, wire: Wire, names: Iterable[str]) -> list[Part]:
    """The named parts and those that they need, built and not started."""
    wanted = with_needs(names)
    parts: list[Part] = []
    if _AZURE & set(wanted):
        parts += _azure_parts(config, wire, set(wanted))
    if "aws" in wanted:
        from localcloud.aws.server import AwsPart

        parts.append(AwsPart(config, wire))
    return [part for part in parts if part.name in wanted]


def _azure_parts(config: CloudConfig, wire: Wire, wanted: set[str]) -> list[Part]:
    from localcloud.azure.blob import BlobPart
    from localcloud.flink.part import FlinkPart

    flink = FlinkPart(config, wire)
    blob = BlobPart(config, wire)
    if not wanted - {"flink", "blob"}:
        return [flink, blob]
    from localcloud.azure.parts import azure_parts

    return [flink, blob, *azure_parts(config, wire, flink, blob)]
