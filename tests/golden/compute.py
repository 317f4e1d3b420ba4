"""Compute the numbers that no redesign may change.

Everything here goes through public names, so that the same code runs before and after a change.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from realdeg.config import load_config
from realdeg.errors import RealdegError
from realdeg.registry import BACKBONES, DEGRADATIONS
from tests.degradations.conftest import small_config

SEEDS = (11, 2**61 + 7)
CORNER = 6
"""Side of the corner of every result that is kept, for builds whose last bits differ."""


def build() -> dict[str, str]:
    """Say what the last bit of a result depends on."""
    return {
        "torch": torch.__version__.split("+")[0],
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "machine": platform.machine(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "processor": processor(),
    }


def processor() -> str:
    """Name the kind of processor, on which torch, oneDNN and NumPy choose their routines."""
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n", 1)[0].splitlines()
    except OSError:
        return platform.processor()
    found = dict(line.split(":", 1) for line in lines if ":" in line)
    told = {name.strip(): value.strip() for name, value in found.items()}
    flags = " ".join(sorted(told.get("flags", told.get("Features", "")).split()))
    kind = ", ".join(told.get(name, "?") for name in ("vendor_id", "cpu family", "model"))
    return f"{kind}, {hashlib.sha256(flags.encode()).hexdigest()[:8]}"


def digest(value: Tensor) -> str:
    return hashlib.sha256(value.detach().cpu().contiguous().numpy().tobytes()).hexdigest()[:16]


def state_digest(state: Mapping[str, Tensor]) -> str:
    found = hashlib.sha256()
    for name in sorted(state):
        value = state[name].detach().cpu().contiguous()
        found.update(f"{name}|{value.dtype}|{tuple(value.shape)}|".encode())
        found.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()[:16]


def corner(value: Tensor) -> list[float]:
    return value[0, :, :CORNER, :CORNER].double().flatten().tolist()


def image(channels: int, height: int, width: int, seed: int = 3) -> Tensor:
    """Make a picture with edges and texture, the same on every machine."""
    rows = torch.arange(height, dtype=torch.float64)[:, None] / height
    columns = torch.arange(width, dtype=torch.float64)[None] / width
    planes = [
        0.5 + 0.3 * torch.sign(torch.sin(9 * rows + (5 + c) * columns)) * (0.3 + 0.7 * columns)
        for c in range(channels)
    ]
    generator = np.random.Generator(np.random.PCG64(seed))
    noise = torch.from_numpy(generator.uniform(-0.15, 0.15, (channels, height, width)))
    return (torch.stack(planes) + noise).clamp(0, 1).float()[None]


def degradation_names() -> list[str]:
    return DEGRADATIONS.names()


def make_degradation(name: str, same_size: bool) -> Any:
    """Build a registered degradation, small; a learned one has the weights of seed 0."""
    torch.manual_seed(0)
    settings = small_config(name) | {"scale": 2, "same_size": same_size}
    return DEGRADATIONS.build(settings).eval()


def replay(degradation: Any, hr: Tensor, traces: list[Any]) -> Tensor:
    """Apply traces by the name that the contract has."""
    act = getattr(degradation, "replay", None) or degradation.apply
    with torch.no_grad():
        found: Tensor = act(hr, traces)
    return found


def degradation_record(degradation: Any, hr: Tensor) -> dict[str, Any]:
    found = []
    for seed in SEEDS:
        (trace,) = degradation.sample(hr, [seed])
        lr = replay(degradation, hr, [trace])
        found.append(
            {
                "trace": trace.to_json(),
                "words": trace.in_words(),
                "shape": list(lr.shape),
                "sha": digest(lr),
                "corner": corner(lr),
            }
        )
    return {
        "arguments": json.loads(json.dumps(degradation.arguments, default=list)),
        "state": state_digest(degradation.state_dict()),
        "hash": degradation.hash(),
        "offset": degradation.offset,
        "border": degradation.border,
        "images": found,
    }


def preset_degradations() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the degradation of every building block of the recipes, by the block's name."""
    from mmengine.config import Config

    from realdeg.config import config_root

    for file in sorted((config_root() / "_base_" / "degradations").glob("*.py")):
        said = Config.fromfile(file).get("degradation")
        if isinstance(said, dict):
            yield file.stem, plain(said)


def backbone_names() -> list[str]:
    return BACKBONES.names()


def make_backbone(name: str) -> Any:
    torch.manual_seed(0)
    return BACKBONES.require(name).example().eval()


def backbone_record(network: Any) -> dict[str, Any]:
    size = 2 * network.size_multiple * 4
    size = max(size, 16)
    lr = image(network.channels, size, size) * network.value_range
    with torch.no_grad():
        output = network(lr)
    sr = getattr(output, "sr", output)
    return {
        "arguments": json.loads(json.dumps(network.arguments, default=list)),
        "state": state_digest(network.state_dict()),
        "keys": {key: list(value.shape) for key, value in network.state_dict().items()},
        "facts": {
            key: getattr(network, key)
            for key in (
                *("colour", "value_range", "upsample", "same_size_form", "size_multiple"),
                *("halo", "whole_image", "any_scale", "scale", "same_size"),
            )
        },
        "scales": None if network.scales is None else list(network.scales),
        "needs": list(network.needs),
        "shape": list(sr.shape),
        "sha": digest(sr),
        "corner": corner(sr / network.value_range),
        "aux": sorted(getattr(output, "aux", {})),
    }


def plain(value: Any) -> Any:
    """Return a config's value as JSON has it."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in sorted(value.items(), key=str)}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    return str(value)


RESOLVED = (
    *("model", "train_dataloader", "val_dataloader", "test_dataloader", "train_cfg", "val_cfg"),
    *("test_cfg", "val_evaluator", "test_evaluator", "optim_wrapper", "param_scheduler"),
    *("default_hooks", "custom_hooks", "env_cfg", "randomness", "scale", "same_size", "seed"),
)


def resolved_recipe(name: str) -> dict[str, Any]:
    """Return what the engine is given for a recipe, or the refusal."""
    from realdeg.config import inject

    try:
        cfg = inject(load_config(name))
    except RealdegError as error:
        return {"refused": type(error).__name__}
    return {key: plain(cfg.get(key)) for key in RESOLVED}


def train(folder: Any, name: str, options: Mapping[str, Any], resume: bool = False) -> None:
    """Train a recipe on the built-in sample with the command that users call."""
    from realdeg.cli.main import main

    words = [f"{key}={value}" for key, value in options.items()]
    said = ["train", name, "--sample", "--device", "cpu", "--work-dir", str(folder)]
    code = main([*said, "--cfg-options", *words, *(["--resume"] if resume else [])])
    assert code == 0, f"train {name} left with {code}"


def published_record(data: Path, kind: str, file: str, scale: int) -> dict[str, Any]:
    """Load a published file of weights and measure it on Set5 (rounded Y, border = scale)."""
    from realdeg.backbones import load_weights
    from realdeg.utils.colour import rgb_to_y
    from tests.backbones.judging import decibels, rounded, set5

    network = BACKBONES.build({"type": kind, "scale": scale}).eval()
    load_weights(network, data / "weights" / file)
    found = []
    for lr, hr in set5(data, scale):
        given = lr if network.channels == 3 else rgb_to_y(lr)
        with torch.no_grad():
            sr = rounded(network(given).clamp(0, 1))
        sr = rgb_to_y(sr) if network.channels == 3 else sr
        found.append(round(float(decibels(rounded(sr), rounded(rgb_to_y(hr)), scale)), 6))
    return {"state": state_digest(network.state_dict()), "psnr": found}
