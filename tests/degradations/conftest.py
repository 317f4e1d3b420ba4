"""Small settings for every registered degradation."""

from __future__ import annotations

from realdeg.registry import DEGRADATIONS

# Arguments that make a component quick to run; a component that needs none is not listed.
SMALL = {
    "DML": {"width": 4, "levels": 2, "num_kernels": 3},
    "DirectNet": {"width": 4, "levels": 2},
    "DirectKPN": {"width": 4, "levels": 2, "kernel_size": 5},
    "Compose": {
        "parts": [
            {"type": "DML", "width": 4, "levels": 1, "num_kernels": 2},
            {"type": "AWGN", "sigma": 5},
        ]
    },
}


def small_config(name: str, **more) -> dict:
    """Return a quick config of a registered degradation."""
    return {"type": name, **SMALL.get(name, {}), **more}


def all_names() -> list[str]:
    """Return every registered degradation that realdeg itself ships."""
    return [
        name
        for name in DEGRADATIONS.names()
        if DEGRADATIONS.get(name).__module__.startswith("realdeg.")
    ]
