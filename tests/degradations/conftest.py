"""Small settings for every registered degradation."""

from __future__ import annotations

from importlib.util import find_spec
from types import ModuleType

import pytest

from realdeg.registry import DEGRADATIONS
from realdeg.testing import DegradationContract

# Arguments that make a component quick to run. Not listed: those that need none, and those that
# say so themselves by a classmethod ``example(scale, same_size)``.
SMALL = {
    "DML": {"width": 4, "levels": 2, "num_kernels": 3},
    "ScaleDML": {"width": 4, "levels": 1, "num_kernels": 3},
    "DirectNet": {"width": 4, "levels": 2},
    "DirectKPN": {"width": 4, "levels": 2, "kernel_size": 5},
    "Compose": {
        "parts": [
            {"type": "DML", "width": 4, "levels": 1, "num_kernels": 2},
            {"type": "AWGN", "sigma": 5},
        ]
    },
    "RandomOrder": {
        "parts": [
            {"type": "DML", "width": 4, "levels": 1, "num_kernels": 2},
            {"type": "AWGN", "sigma": 5},
            {"type": "AWGN", "sigma": 9},
        ],
        "before": [[1, 2]],
    },
    "OneOf": {
        "parts": [{"type": "DirectNet", "width": 2, "levels": 1}, {"type": "AWGN", "sigma": 5}]
    },
    "Maybe": {"part": {"type": "DirectNet", "width": 2, "levels": 1}},
    "Repeat": {
        "part": {
            "type": "Compose",
            "parts": [{"type": "AWGN"}, {"type": "DirectNet", "width": 2, "levels": 1}],
        },
        "times": [2, 3],
    },
}

# These need an optional package: (its name, the extra). Without it tests of all degradations leave
# them out, and their own tests are skipped.
OPTIONAL = {"VideoCodec": ("av", "video")}

# The LR grid of these lies elsewhere than bicubic's by default; their own tests measure where.
DISPLACED = ("BlurDown",)


def small_config(name: str, **more) -> dict:
    """Return a quick config of a registered degradation."""
    contract = DegradationContract()
    contract.component, contract.arguments = DEGRADATIONS.get(name), SMALL.get(name, {})
    return {**contract.config, **more}


def shrunk(cfg: dict) -> dict:
    """Return a degradation's config with every learned network in it made small."""
    cfg = dict(cfg)
    if "parts" not in cfg and "part" not in cfg:
        cfg |= small_config(cfg["type"])
    if "parts" in cfg:
        cfg["parts"] = [shrunk(part) for part in cfg["parts"]]
    if "part" in cfg:
        cfg["part"] = shrunk(cfg["part"])
    return cfg


def can_be_built(name: str) -> bool:
    """Return whether the package that a registered degradation needs, if any, is installed."""
    return name not in OPTIONAL or find_spec(OPTIONAL[name][0]) is not None


def needs_package(name: str) -> ModuleType:
    """Return the package that a registered degradation needs, or skip the test."""
    package, extra = OPTIONAL[name]
    return pytest.importorskip(package, reason=f"{name} needs {package}: realdeg[{extra}]")


def all_names() -> list[str]:
    """Return every registered degradation that realdeg itself ships and that can be built here."""
    return [
        name
        for name in DEGRADATIONS.names()
        if DEGRADATIONS.get(name).__module__.startswith("realdeg.") and can_be_built(name)
    ]
