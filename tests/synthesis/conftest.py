from __future__ import annotations

import hashlib

import numpy as np
import pytest

from realdeg.apis import Degrader
from realdeg.apis.dataset import degrade_dataset
from realdeg.utils.image import write_image

PARTS = [dict(type="Bicubic"), dict(type="AWGN", sigma=5)]
CAMERA = dict(type="Compose", parts=PARTS)


def picture(height=16, width=20, channels=3, dtype=np.uint8, seed=0):
    values = np.random.default_rng(seed).random((height, width, channels))
    return np.round(values * np.iinfo(dtype).max).astype(dtype)


def make(src, dst, **settings):
    words = {"scale": 2, "seed": 7, "shard_size": 2, "jobs": 1, "progress": False, **settings}
    return degrade_dataset(CAMERA, src, dst, **words)


def degrader():
    return Degrader(CAMERA, scale=2)


def tree(folder):
    """SHA-256 by name of every file."""
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


@pytest.fixture
def hr(tmp_path):
    """Seven images: sub-folders, grey, 16 bit, odd sizes, and two formats."""
    folder = tmp_path / "hr"
    write_image(folder / "a.png", picture(seed=1))
    write_image(folder / "b.v2.png", picture(seed=2))
    write_image(folder / "c.png", picture(17, 21, seed=3))
    write_image(folder / "sub" / "a.png", picture(seed=4))
    write_image(folder / "sub" / "grey.png", picture(channels=1, seed=5))
    write_image(folder / "sub" / "deep.tiff", picture(dtype=np.uint16, seed=6))
    write_image(folder / "z.jpg", picture(24, 16, seed=7))
    return folder
