"""A form that a page of Prefect makes of a schema: of parameters, or of a question."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Locator, LocatorAssertions, Page

_WITH_CLASS = "ancestor::div[contains(concat(' ', @class, ' '), ' {} ')][1]"
_ROW = {
    "v1": "//span[contains(@class, 'schema-form-property__label')][{}]/"
    + _WITH_CLASS.format("schema-form-property"),
    "v2": "//label[{}]/" + _WITH_CLASS.format("group"),
}
_CONTROL = ".p-select-button__control"  # of a drop-down in v1


class SchemaForm:
    """The fields of a form, filled in as a person does.

    Args:
        page: The browser's page that shows it.
        version: Which of the two UIs that is: ``v1`` or ``v2``.
    """

    def __init__(self, page: Page, version: str) -> None:
        self.page = page
        self.version = version

    def row(self, name: str) -> Locator:
        """A field with its name, its text and its input."""
        is_named = f"normalize-space() = '{name}' or normalize-space() = '{name} (Optional)'"
        return self.page.locator("xpath=" + _ROW[self.version].format(is_named))

    def fill(self, name: str, value: object) -> None:
        """A text or a number."""
        field = self.row(name).locator("textarea, input").first
        field.fill(str(value))
        _expect(field).to_have_value(str(value))

    def add(self, name: str, *values: str) -> None:
        """More items of a list."""
        items = self.row(name).locator("textarea, input")
        for value in values:
            there = items.count()
            self.row(name).get_by_role("button", name="Add item").click()
            items.nth(there).fill(value)
            _expect(items.nth(there)).to_have_value(value)

    def write(self, name: str, value: Mapping[str, Any]) -> None:
        """An object, as JSON."""
        self.row(name).locator("textarea, .cm-content").first.fill(json.dumps(value))

    def switch(self, name: str) -> None:
        """Switch a switch."""
        self.row(name).get_by_role("checkbox").or_(self.row(name).get_by_role("switch")).click()

    def choose(self, name: str, value: str) -> None:
        """One of the values of a drop-down."""
        if self.version == "v1":
            self._select(name, value)
        else:
            self.row(name).get_by_role("button", name=f"Select {name}").click()
            self.page.get_by_role("option", name=value, exact=True).click()

    def turn_to(self, name: str, kind: str) -> None:
        """Turn to one of the kinds of value that a field takes; a picker has nothing picked."""
        self.row(name).get_by_text(kind, exact=True).click()

    def turn_to_blocks(self, name: str, kind: str) -> Locator:
        """Turn to a kind of block: the list of saved ones, once the field has no other value."""
        self.turn_to(name, kind)
        row = self.row(name)
        v1 = self.version == "v1"
        blocks = row.locator(_CONTROL) if v1 else row.get_by_label("Select a block")
        blocks.wait_for()
        return blocks

    def pick(self, name: str, kind: str, block: str) -> None:
        """Pick a saved block."""
        blocks = self.turn_to_blocks(name, kind)
        if self.version == "v1":
            self._select(name, block)
        else:
            blocks.click()
            self.page.get_by_role("option", name=block, exact=True).click()

    def _select(self, name: str, value: str) -> None:
        self.row(name).locator(_CONTROL).press("Space")
        self.page.locator(".p-select-option").get_by_text(value, exact=True).click()
        _expect(self.row(name).locator(_CONTROL)).to_contain_text(value)


def _expect(field: Locator) -> LocatorAssertions:
    """Wait for what a field shows: v1 draws it again after a change."""
    from playwright.sync_api import expect

    return expect(field)
