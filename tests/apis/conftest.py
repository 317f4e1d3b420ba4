from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from realdeg.utils.image import write_image


def _picture(height, width, channels=3, dtype=np.uint8, seed=0):
    values = np.random.default_rng(seed).random((height, width, channels))
    return np.round(values * np.iinfo(dtype).max).astype(dtype)


@pytest.fixture
def hr_folder(tmp_path: Path) -> Path:
    """Six images: RGB, grey, alpha, 16 bit, an odd size, and a sub-folder."""
    folder = tmp_path / "hr"
    write_image(folder / "b_rgb.png", _picture(12, 16, seed=1))
    write_image(folder / "a_grey.png", _picture(12, 16, 1, seed=2))
    write_image(folder / "c_alpha.png", _picture(12, 16, 4, seed=3))
    write_image(folder / "d_deep.png", _picture(12, 16, 3, np.uint16, seed=4))
    write_image(folder / "e_odd.png", _picture(13, 15, seed=5))
    write_image(folder / "sub" / "b_rgb.png", _picture(8, 8, seed=6))
    return folder
