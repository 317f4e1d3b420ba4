"""A description of software and hardware for the log file."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

import torch

from realdeg.version import __version__

_PACKAGES = ("torch", "mmengine", "mmcv-lite", "numpy", "opencv-python", "scipy", "safetensors")


def environment_lines(device: torch.device) -> list[str]:
    """Describe software and hardware without importing anything new.

    mmengine's ``collect_env`` imports torchvision. One that does not match torch then ends every
    run, even those that do not need it.

    Returns:
        Lines ``name: value``.
    """
    lines = [
        f"realdeg: {__version__}",
        f"python: {sys.version.split()[0]} on {platform.platform()}",
        f"processors: {os.cpu_count()}, torch uses {torch.get_num_threads()} threads",
        f"device: {device_name(device)}",
    ]
    for package in _PACKAGES:
        try:
            lines.append(f"{package}: {version(package)}")
        except PackageNotFoundError:
            lines.append(f"{package}: not installed")
    build = torch.__config__.show().strip().splitlines()
    return lines + ["torch build:"] + [f"  {line.strip()}" for line in build]


def device_name(device: torch.device) -> str:
    """Return a device's name, such as ``"cpu"`` or ``"cuda:0 (NVIDIA RTX 4090)"``."""
    backend = getattr(torch, device.type, None)
    model = getattr(backend, "get_device_name", None)
    if device.type == "cpu" or model is None:
        return str(device)
    return f"{device} ({model(device)})"
