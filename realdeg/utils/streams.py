"""Random streams: every random decision depends on names, never on the order of calls.

A sample's randomness follows from (seed, position in the run, name of the stream), so the number of
workers or processes and a resume change nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np


def stream_seed(*parts: int | str) -> int:
    """Hash any sequence of integers and strings to a seed.

    Args:
        *parts: What the seed depends on, such as ``(seed, position, "crop")``.

    Returns:
        A 63-bit seed, equal on every machine and in every process.
    """
    # repr tells 1 from "1"; the separator cannot occur inside repr of an int or a str unescaped.
    text = "\x1f".join(repr(part if isinstance(part, str) else int(part)) for part in parts)
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


@dataclass(frozen=True)
class Stream:
    """The randomness of one sample.

    Args:
        seed: The run's seed.
        position: The sample's global position in the run, or its key in an evaluation.
    """

    seed: int
    position: int | str

    def seed_for(self, name: str) -> int:
        """Return the 63-bit seed of the stream called ``name``."""
        return stream_seed(self.seed, self.position, name)

    def rng(self, name: str) -> np.random.Generator:
        """Return a fresh generator of the stream called ``name``."""
        return np.random.default_rng(self.seed_for(name))
