"""A job's own part of the config, as one canonical text."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from phaseflow.settings.base import Settings


@dataclass(frozen=True)
class Block:
    """The settings of one scenario, study or fit, with the seed where its result depends on it."""

    section: str
    name: str
    settings: dict[str, Any]
    seed: int | None = None

    @classmethod
    def of(cls, section: str, name: str, settings: Settings, seed: int | None = None) -> Block:
        """Make the block of a resolved entry of the config; keys that are not set are left out."""
        return cls(section, name, settings.model_dump(mode="json", exclude_none=True), seed)

    @classmethod
    def parse(cls, text: str) -> Block:
        """Read a block back from its text."""
        return cls(**json.loads(text))

    @property
    def text(self) -> str:
        """The canonical text: the same settings give the same characters.

        The order of keys is kept where it means something: in equations, variables and sweeps.
        """
        return json.dumps({"section": self.section, "name": self.name, "settings": self.settings, "seed": self.seed})

    @property
    def place(self) -> str:
        """The entry's key path in the config."""
        return f"{self.section}.{self.name}"
