"""Set5 with MATLAB's bicubic LR: the number that every paper prints in its first row."""

import pytest
import torch

from realdeg.evaluation import get_protocol, measure
from realdeg.utils.image import as_rgb, read_image, to_tensor

PUBLISHED = {2: (33.66, 0.9299), 3: (30.39, 0.8682), 4: (28.42, 0.8104)}


def pairs(folder, scale):
    hr_files = sorted((folder / "HR" / f"x{scale}").glob("*.png"))
    for file in hr_files:
        stem = file.stem.removesuffix(f"_HR_x{scale}").removesuffix(f"x{scale}")
        (lr_file,) = (folder / "LR_bicubic" / f"x{scale}").glob(f"{stem}*.png")
        yield tuple(to_tensor(as_rgb(read_image(path))) for path in (file, lr_file))


def averages(folder, scale, protocol, uint8_passes=True):
    imresize = pytest.importorskip("realdeg.degradations.primitives.resize").imresize
    values = {}
    for hr, lr in pairs(folder, scale):
        sr = imresize(lr[None], scale=scale, uint8_passes=uint8_passes)[0]
        for name, samples in measure(sr, hr, protocol, scale=scale).items():
            values.setdefault(name, []).extend(samples)
    assert {len(item) for item in values.values()} == {5}
    return [sum(item) / len(item) for item in values.values()]


@pytest.fixture
def set5(real_data):
    folder = real_data / "Set5"
    if not folder.is_dir():
        pytest.skip(f"there is no {folder}")
    return folder


@pytest.mark.parametrize("scale", PUBLISHED)
def test_bicubic_psnr_is_the_published_one(set5, scale):
    psnr, ssim = averages(set5, scale, "benchmark-y")
    assert psnr == pytest.approx(PUBLISHED[scale][0], abs=0.02)
    assert ssim == pytest.approx(PUBLISHED[scale][1], abs=0.001)


def test_rounding_the_luma_costs_hundredths(set5):
    plain, _ = averages(set5, 2, "benchmark-y")
    rounded, _ = averages(set5, 2, "benchmark-y-uint8")
    assert -0.05 < rounded - plain < 0


def test_full_range_luma_would_read_lower(set5):
    """1.32 dB, the most common slip: 20 log10(255 / 219)."""
    hr, lr = next(iter(pairs(set5, 2)))
    from realdeg.utils.colour import rgb_to_y

    noisy = (hr + 0.03 * torch.randn(hr.shape, generator=torch.Generator().manual_seed(0))).clamp(
        0, 1
    )
    protocol = get_protocol({"base": "benchmark-y", "rounding": "none"})
    studio, full = (
        measure(*(stretch(rgb_to_y(image)) for image in (noisy, hr)), protocol, ["psnr"], scale=2)
        for stretch in (lambda y: y, lambda y: (y - 16 / 255) * 255 / 219)
    )
    difference = next(iter(studio.values()))[0] - next(iter(full.values()))[0]
    assert difference == pytest.approx(1.32, abs=0.01)
