"""Photos of a camera that is known: what a person would shoot, with the truth beside it.

The scene is an HR image. The long lens (TELE) sees its middle, sharp. The short lens (WIDE) sees
all of it at ``scale`` times fewer pixels, turned, a little too large and displaced, blurred
differently at every pixel, with another exposure and colour, with noise, as a JPEG file.

    python benchmarks/own_camera/photos.py data/Kodak24 photos
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import map_coordinates

from realdeg import create_degradation
from realdeg.utils.image import read_image, to_tensor

CAST = (1.1 * 1.03, 1.1, 1.1 * 0.96)
"""Gain 1.1 and a colour cast, per channel."""

QUALITY = 90
SEEN = 0.84
"""The share of each side of the scene that the long lens sees."""

SHADE = 0.85
"""Brightness of the scene, so that the brighter WIDE is not clipped."""


def draw_warp(seed: int) -> dict[str, float]:
    """Draw rotation (degrees), error of scale and displacement (HR pixels) of one photo."""
    generator = np.random.default_rng(seed)
    names = {"rotation": 1.0, "enlargement": 0.02, "down": 6.0, "right": 6.0}
    return {name: float(generator.uniform(-limit, limit)) for name, limit in names.items()}


def scene_points(points: np.ndarray, size: tuple[int, int], warp: dict[str, float]) -> np.ndarray:
    """Return where the warped scene's points (P, 2; row, column) lie in the scene itself."""
    centre = (np.array(size) - 1) / 2
    angle = np.deg2rad(warp["rotation"])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn / (1 + warp["enlargement"])
    return (points - centre) @ matrix.T + centre - (warp["down"], warp["right"])


def warp_scene(scene: np.ndarray, warp: dict[str, float]) -> np.ndarray:
    """Return the scene (H, W, 3) as the short lens frames it, by splines of order 5."""
    size = scene.shape[:2]
    grid = np.stack(np.meshgrid(*(np.arange(side) for side in size), indexing="ij"), -1)
    at = scene_points(grid.reshape(-1, 2), size, warp).T
    channels = [
        map_coordinates(scene[..., c], at, order=5, mode="mirror").reshape(size) for c in range(3)
    ]
    return np.stack(channels, -1).clip(0, 1)


def camera(scale: int) -> Any:
    """Return the short lens: blur that follows place and content, and noise; not rounded."""
    return create_degradation(
        {"type": "SampleCamera", "content": 0.5, "position": 1.0, "quantise": False},
        scale=scale,
        same_size=False,
    )


def tele_box(size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return top, left, height and width of what the long lens sees."""
    height, width = (int(side * SEEN) // 4 * 4 for side in size)
    return (size[0] - height) // 2, (size[1] - width) // 2, height, width


def make_photos(files: list[Path], out: Path, scale: int, seed: int) -> None:
    """Write WIDE, TELE and truth.json.

    Args:
        files: HR images.
        out: Folder to be made.
        scale: Ratio of the focal lengths.
        seed: Of warps and noise.
    """
    lens = camera(scale)
    truth: dict[str, Any] = {"scale": scale, "seed": seed, "photos": {}}
    for name in ("WIDE", "TELE"):
        (out / name).mkdir(parents=True, exist_ok=True)
    for number, file in enumerate(files):
        scene = read_image(file).astype(np.float64) / 255 * SHADE
        warp = draw_warp(1000 * seed + number)
        framed = torch.from_numpy(warp_scene(scene, warp)).permute(2, 0, 1)[None].float()
        with torch.no_grad():
            lr = lens(framed, [1000 * seed + number])[0].permute(1, 2, 0).double().numpy()
        shot = Image.fromarray(((lr * CAST).clip(0, 1) * 255).round().astype(np.uint8))
        shot.save(out / "WIDE" / f"{file.stem}.jpg", quality=QUALITY)
        top, left, height, width = tele_box(scene.shape[:2])
        sharp = scene[top : top + height, left : left + width]
        Image.fromarray((sharp * 255).round().astype(np.uint8)).save(
            out / "TELE" / f"{file.stem}.png"
        )
        truth["photos"][file.stem] = {"warp": warp, "scene": str(file), "box": [top, left]}
    (out / "truth.json").write_text(json.dumps(truth, indent=1) + "\n")


def framed_scene(entry: dict[str, Any]) -> torch.Tensor:
    """Return the scene as the short lens frames it, (1, 3, H, W): the HR of its pixels."""
    scene = read_image(Path(entry["scene"])).astype(np.float64) / 255 * SHADE
    return to_tensor(warp_scene(scene, entry["warp"]))[None].float()


def true_tele_points(points: np.ndarray, entry: dict[str, Any], scale: int) -> np.ndarray:
    """Return where pixels of WIDE (P, 2) lie in TELE."""
    size = Image.open(entry["scene"]).size[::-1]
    hr = points * scale + (scale - 1) / 2
    return scene_points(hr, size, entry["warp"]) - np.array(entry["box"])


def main() -> None:
    """Make the photos of a folder of HR images."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("hr", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--scale", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    make_photos(sorted(args.hr.glob("*.png")), args.out, args.scale, args.seed)


if __name__ == "__main__":
    main()
