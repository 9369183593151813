"""The word count's output, as its job publishes it in Flink accumulators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flinkglue.markdown import table


@dataclass(frozen=True)
class WordCounts:
    """What was counted."""

    most_frequent: tuple[tuple[str, int], ...]
    distinct_words: int | None
    total_words: int | None

    @classmethod
    def from_accumulators(cls, accumulators: Mapping[str, str]) -> WordCounts | None:
        """Read them; None when the job published no counts."""
        pairs = [pair.rpartition("=") for pair in accumulators.get("word-counts", "").split(", ")]
        counts = tuple((word, int(count)) for word, _, count in pairs if count.isdecimal())
        if not counts:
            return None
        return cls(
            counts,
            _number(accumulators.get("distinct-words")),
            _number(accumulators.get("total-words")),
        )

    def in_words(self) -> str:
        """One line."""
        most = ", ".join(f"{word} {count}" for word, count in self.most_frequent[:5])
        return f"{self.total_words} words, {self.distinct_words} different ones: {most} …"

    def markdown(self) -> str:
        """A table."""
        title = f"{self.total_words} words, {self.distinct_words} different ones"
        rows = [(word, str(count)) for word, count in self.most_frequent]
        return f"### {title}\n\n{table(('word', 'count'), rows)}"


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None
