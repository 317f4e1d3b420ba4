"""The protocol of scores that pyiqa computes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class IqaProtocol:
    """What is between an image and a number of pyiqa.

    Args:
        name: ``pyiqa-VERSION`` and the options that were changed.
        version: The version of the package; empty if it is not installed.
        options: Arguments that were passed to its metrics.
        source: The origin of the procedure.
    """

    name: str
    version: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    source: str = "https://github.com/chaofengc/IQA-PyTorch"

    def label(self, metric: str) -> str:
        """Return the label of a score, ``"niqe[pyiqa-0.1.16]"``."""
        return f"{metric}[{self.name}]"

    def summary(self) -> str:
        """Return the settings in one line."""
        changed = ", ".join(f"{name}={value}" for name, value in self.options.items())
        return (
            f"create_metric of pyiqa {self.version or '(not installed)'}"
            f"{', ' + changed if changed else ', its defaults'}; whole images, 8-bit RGB in [0, 1]"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return asdict(self)
