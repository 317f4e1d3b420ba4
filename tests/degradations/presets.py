"""Every named preset, small: what the tests over all of them share."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from mmengine.config import Config

from realdeg import create_degradation
from realdeg.degradations import Degradation
from tests.degradations.conftest import can_be_built, shrunk, small_config

FOLDER = Path(__file__).resolve().parents[2] / "configs" / "_base_" / "degradations"
# Scales 2 to 4 at once exist on the HR grid alone; the recipes that use it are tested as recipes.
ONE_GRID = ["bicubic_joint"]
NOT_HERE = [] if can_be_built("VideoCodec") else ["video_codec"]
PRESETS = sorted({file.stem for file in FOLDER.glob("*.py")} - {*ONE_GRID, *NOT_HERE})

# Containers that draw are settings of nobody; SampleCamera belongs to the sample set.
WITHOUT_PRESET = ["CinCGANDegradation", "LearnedNoise", "RandomOrder", "Repeat"]
EVERYTHING = [*PRESETS, *WITHOUT_PRESET]

GEOMETRIES = [(scale, same_size) for scale in (2, 3, 4) for same_size in (False, True)]
SIZE = (3, 48, 36)


def preset_config(name: str) -> dict:
    """Return the degradation of a preset's file, or of a type, learned networks made small."""
    if name in WITHOUT_PRESET:
        return small_config(name)
    return shrunk(Config.fromfile(FOLDER / f"{name}.py").to_dict()["degradation"])


def build_preset(name: str, scale: int = 4, same_size: bool = False) -> Degradation:
    """Build a small preset; a learned one has the same weights each time."""
    state = torch.random.get_rng_state()
    torch.manual_seed(0)
    degradation = create_degradation(preset_config(name), scale, same_size)
    torch.random.set_rng_state(state)
    degradation.mark_trained()
    return degradation.eval().requires_grad_(False)


def picture(seed: int, size: tuple[int, int, int] = SIZE) -> torch.Tensor:
    """Return an 8-bit picture with edges, gradients and texture, shape (1, C, H, W) in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    channels, height, width = size
    rows = torch.linspace(0, 1, height)[:, None]
    columns = torch.linspace(0, 1, width)[None, :]
    angle, where = torch.rand(2, generator=generator).tolist()
    edge = ((rows * angle + columns * (1 - angle)) > where).float()
    texture = torch.rand(channels, height, width, generator=generator)
    image = 0.4 * edge + 0.3 * rows * columns + 0.3 * texture
    return image[None].mul(255).round().div(255)


def digest(image: torch.Tensor) -> str:
    """Return a hash of an image's very bits."""
    return hashlib.sha256(image.contiguous().numpy().tobytes()).hexdigest()
