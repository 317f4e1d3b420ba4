import numpy as np
import pytest

from realdeg.testing.datasets import write_picture
from realdeg.utils.image import write_image


@pytest.fixture(name="picture")
def picture_fixture():
    return write_picture


@pytest.fixture
def realsr(tmp_path):
    """Make a RealSR tree: realsr("RealSR(V2)", {"Canon": ["001"], ...}, ratio=1)."""

    def make(name, scenes, ratio=1, scale=4, split="Train", size=(32, 48)):
        for camera, numbers in scenes.items():
            folder = tmp_path / name / camera / split / str(scale)
            for number in numbers:
                stem = f"{camera}_{number}"
                write_picture(folder / f"{stem}_HR.png", *size, seed=int(number))
                small = (size[0] // ratio, size[1] // ratio)
                write_picture(folder / f"{stem}_LR{scale}.png", *small, seed=int(number) + 500)
        return tmp_path

    return make


@pytest.fixture
def aligned_pairs(tmp_path):
    """Pairs whose LR is HR[::2, ::2], in which every HR pixel tells its place."""
    rows, columns = np.mgrid[0:40, 0:60]
    for index in range(5):
        hr = np.stack([rows, columns, np.full_like(rows, index)], axis=-1).astype(np.uint8)
        for side, image in (("HR", hr), ("LR", hr[::2, ::2])):
            path = tmp_path / side / f"scene{index}.png"
            path.parent.mkdir(exist_ok=True)
            write_image(path, np.ascontiguousarray(image))
    return tmp_path
