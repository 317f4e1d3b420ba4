"""One step of a pipeline as a trace records it, read with suspicion: traces come from anywhere."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from realdeg.errors import DataError

LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True)
class StepRecord:
    """A plain mapping whose fields are checked when they are read.

    Args:
        owner: Name of the degradation, for messages.
        index: Which step of the trace this is, for messages.
        fields: The record: ``"op"`` and what that step needs.
        largest_side: Greatest (height, width) in pixels that this step may make.
    """

    owner: str
    index: int
    fields: Mapping[str, Any]
    largest_side: tuple[int, int]

    @property
    def op(self) -> str:
        """The name of the step."""
        return str(self.fields.get("op"))

    def refuse(self, reason: str) -> DataError:
        """Return the error that names the place and the reason.

        Args:
            reason: What was found and what would fit.

        Returns:
            The error, to be raised.
        """
        return DataError(
            f"step {self.index} ({self.op:.40}) in a trace of {self.owner}: {reason}. The trace is"
            " damaged or of another release."
        )

    def check_names(self, allowed: Collection[str]) -> None:
        """Refuse fields that the step does not know.

        Args:
            allowed: The names besides ``"op"``.

        Raises:
            DataError: If there is another one.
        """
        for name in self.fields:
            if name != "op" and name not in allowed:
                raise self.refuse(f"it has no field {name!r:.40}")

    def number(self, name: str, low: float, high: float, default: float | None = None) -> float:
        """Return a finite number.

        Args:
            name: The field.
            low: Least value.
            high: Greatest value.
            default: What a missing field means; ``None`` asks for the field.

        Returns:
            Its value.

        Raises:
            DataError: If it is missing, no number or out of range.
        """
        value = self.fields.get(name, default)
        # NaN fails the comparison as well.
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not low <= value <= high
        ):
            raise self.refuse(f"'{name}' is {value!r:.40}, it is from {low:g} to {high:g}")
        return float(value)

    def integer(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """Return an integer.

        Args:
            name: The field.
            low: Least value.
            high: Greatest value.
            default: What a missing field means; ``None`` asks for the field.

        Returns:
            Its value.

        Raises:
            DataError: If it is missing, no integer or out of range.
        """
        value = self.fields.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.refuse(f"'{name}' is {value!r:.40}, it is an integer from {low} to {high}")
        return value

    def seed(self, name: str = "noise_seed") -> int:
        """Return the seed of a random field.

        Args:
            name: The field.

        Returns:
            A seed of 63 bits.

        Raises:
            DataError: If it is missing or no seed.
        """
        return self.integer(name, 0, LARGEST_SEED)

    def flag(self, name: str, default: bool) -> bool:
        """Return a truth value.

        Args:
            name: The field.
            default: What a missing field means.

        Returns:
            Its value.

        Raises:
            DataError: If it is something else.
        """
        value = self.fields.get(name, default)
        if not isinstance(value, bool):
            raise self.refuse(f"'{name}' is {value!r:.40}, it is true or false")
        return value

    def choice(self, name: str, options: Collection[str], default: str | None = None) -> str:
        """Return one of some words.

        Args:
            name: The field.
            options: The words.
            default: What a missing field means; ``None`` asks for the field.

        Returns:
            The word.

        Raises:
            DataError: If it is another.
        """
        value = self.fields.get(name, default)
        if not isinstance(value, str) or value not in options:
            raise self.refuse(f"'{name}' is {value!r:.40}, it is one of {', '.join(options)}")
        return value

    def size(self, name: str = "size") -> tuple[int, int]:
        """Return an image size that memory can hold.

        Args:
            name: The field.

        Returns:
            (height, width) in pixels.

        Raises:
            DataError: If it is no size, or far beyond the image's own.
        """
        value = self.fields.get(name)
        if (
            not isinstance(value, list | tuple)
            or len(value) != 2
            or not all(isinstance(side, int) and not isinstance(side, bool) for side in value)
            or not all(
                1 <= side <= limit for side, limit in zip(value, self.largest_side, strict=True)
            )
        ):
            raise self.refuse(
                f"'{name}' is {value!r:.60}, it is [height, width] from 1 to"
                f" {list(self.largest_side)}"
            )
        return value[0], value[1]

    def mapping(self, name: str) -> Mapping[str, Any]:
        """Return a nested record.

        Args:
            name: The field.

        Returns:
            The mapping, its content unchecked.

        Raises:
            DataError: If it is missing or something else.
        """
        value = self.fields.get(name)
        if not isinstance(value, Mapping):
            raise self.refuse(f"'{name}' is {value!r:.40}, it is an object")
        return value

    def covariance(self, name: str = "covariance") -> np.ndarray:
        """Return the covariance of three colour channels.

        Args:
            name: The field.

        Returns:
            float64, shape (3, 3), symmetric, in squared units of [0, 1], positive semi-definite.

        Raises:
            DataError: If it is no such matrix.
        """
        value = self.fields.get(name)
        wrong = self.refuse(f"'{name}' is no 3 x 3 covariance of numbers within [-1, 1]")
        try:
            matrix = np.array(value, dtype=np.float64)
        except (TypeError, ValueError, OverflowError) as error:
            raise wrong from error
        if matrix.shape != (3, 3) or not np.isfinite(matrix).all() or abs(matrix).max() > 1:
            raise wrong
        if not np.allclose(matrix, matrix.T, atol=1e-9):
            raise wrong
        if np.linalg.eigvalsh(matrix).min() < -1e-9 or not math.isfinite(matrix.sum()):
            raise wrong
        return matrix
