import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from realdeg.datasets import (
    CentreCrop,
    Degrade,
    DownsampleHR,
    Flip,
    HRFolderDataset,
    ModCrop,
    PackSample,
    PairedCrop,
    PairedFolderDataset,
)
from realdeg.errors import ConfigError, DataError, GeometryError
from realdeg.utils.streams import Stream


def sample(hr, lr=None, scale=2, same_size=False, position=0, dtype=np.uint8):
    """A sample whose pixels tell their place; LR is every second pixel of HR."""
    rows, columns = np.mgrid[0 : hr[0], 0 : hr[1]]
    image = np.stack([rows, columns, rows + columns], axis=-1).astype(dtype)
    stream = Stream(0, position)
    results = dict(hr=image, key="scene", meta={}, scale=scale, same_size=same_size, stream=stream)
    results["seed"] = stream.seed_for("degradation")
    if lr is not None:
        step = 1 if same_size else scale
        results["lr"] = image[::step, ::step][: lr[0], : lr[1]]
    image.flags.writeable = False
    return results


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_crop_takes_the_same_scene(scale):
    for position in range(20):
        results = sample((60, 72), (60 // scale, 72 // scale), scale, position=position)
        cut = PairedCrop(24)(results)
        assert cut["hr"].shape == (24, 24, 3)
        assert cut["lr"].shape == (24 // scale, 24 // scale, 3)
        np.testing.assert_array_equal(cut["hr"][::scale, ::scale], cut["lr"])
        top, left, height, width = cut["meta"]["crop"]
        assert (cut["hr"][0, 0, :2] == (top, left)).all() and (height, width) == (24, 24)


def test_crop_on_one_grid():
    cut = PairedCrop(17)(sample((30, 40), (30, 40), 4, same_size=True))
    np.testing.assert_array_equal(cut["hr"], cut["lr"])


def test_crop_places_are_equally_likely():
    # 5 x 3 places on LR's grid, 3,000 draws: chi-squared with 14 degrees, 99.9 % below 36.1.
    counts = np.zeros((5, 3))
    for position in range(3000):
        cut = PairedCrop(16)(sample((24, 20), (12, 10), position=position))
        top, left = cut["meta"]["crop"][:2]
        counts[top // 2, left // 2] += 1
    assert ((counts - 200) ** 2 / 200).sum() < 36.1


def test_crop_of_hr_alone_uses_every_place():
    tops = {
        PairedCrop(16)(sample((20, 16), position=position))["meta"]["crop"][0]
        for position in range(100)
    }
    assert tops == {0, 1, 2, 3, 4}


def test_crop_refusals():
    with pytest.raises(DataError, match="'scene' is 20 x 30 pixels, smaller than the patch of 24"):
        PairedCrop(24)(sample((20, 30)))
    with pytest.raises(ConfigError, match="patch_size=22 HR pixels is not divisible by the"):
        PairedCrop(22)(sample((40, 40), (10, 10), 4))
    with pytest.raises(GeometryError, match="'scene' has HR 40 x 40 and LR 40 x 40"):
        PairedCrop(20)(sample((40, 40), (40, 40), 4, same_size=True) | {"same_size": False})
    for wrong in (0, -4, 2.5, True):
        with pytest.raises(ConfigError, match="patch_size"):
            PairedCrop(wrong)


def test_centre_crop():
    cut = CentreCrop(8)(sample((20, 16), (10, 8)))
    assert cut["meta"]["crop"] == (6, 4, 8, 8)
    np.testing.assert_array_equal(cut["hr"][::2, ::2], cut["lr"])


def test_modcrop():
    cut = ModCrop()(sample((22, 19), (5, 4), 4))
    assert cut["hr"].shape[:2] == (20, 16) and cut["lr"].shape[:2] == (5, 4)
    cut = ModCrop(4)(sample((22, 19), (22, 19), 3, same_size=True))
    assert cut["hr"].shape == cut["lr"].shape == (20, 16, 3)
    assert ModCrop(8)(sample((22, 19)))["hr"].shape[:2] == (16, 16)
    with pytest.raises(ConfigError, match="multiple=3"):
        ModCrop(3)(sample((24, 24), (12, 12), 2))
    with pytest.raises(DataError, match="ModCrop"):
        ModCrop(32)(sample((24, 24)))


def test_flips_move_both_images_alike():
    seen = set()
    for position in range(64):
        results = sample((24, 24), (24, 24), same_size=True, position=position)
        original = results["hr"]
        flipped = Flip(transpose=True)(results)
        np.testing.assert_array_equal(flipped["hr"], flipped["lr"])
        horizontal, vertical, transpose = flipped["meta"]["flip"]
        expected = original[:, ::-1] if horizontal else original
        expected = expected[::-1] if vertical else expected
        expected = expected.transpose(1, 0, 2) if transpose else expected
        np.testing.assert_array_equal(flipped["hr"], expected)
        seen.add((horizontal, vertical, transpose))
    assert len(seen) == 8


def test_flips_are_fair_and_independent():
    # 4,000 draws of four outcomes: chi-squared with 3 degrees, 99.9 % below 16.3.
    counts = np.zeros((2, 2))
    for position in range(4000):
        horizontal, vertical, transpose = Flip()(sample((2, 2), position=position))["meta"]["flip"]
        counts[int(horizontal), int(vertical)] += 1
        assert not transpose
    assert ((counts - 1000) ** 2 / 1000).sum() < 16.3


def test_one_flip_does_not_steer_the_other():
    for position in range(20):
        both = Flip()(sample((2, 2), position=position))["meta"]["flip"]
        vertical = Flip(horizontal=False)(sample((2, 2), position=position))["meta"]["flip"]
        assert vertical == (False, both[1], False)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_downsample_is_a_gaussian_then_every_second_pixel(dtype):
    noise = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (21, 24, 3), dtype)
    results = DownsampleHR()(sample((21, 24)) | {"hr": noise})
    smooth = gaussian_filter(noise.astype(np.float64), (1, 1, 0), mode="mirror", radius=(3, 3, 0))
    assert results["hr"].dtype == dtype and results["hr"].shape == (11, 12, 3)
    assert np.abs(results["hr"] - smooth[::2, ::2]).max() <= 0.51


def test_cutting_before_downsampling_gives_the_same_pixels():
    noise = np.random.default_rng(0).integers(0, 255, (80, 90, 3), np.uint8)
    cut = PairedCrop(44)(sample((80, 90), same_size=True) | {"hr": noise})
    top, left = cut["meta"]["crop"][:2]
    small = CentreCrop(16)(DownsampleHR()(cut))["hr"]
    whole = DownsampleHR()(sample((80, 90)) | {"hr": noise[top % 2 :, left % 2 :]})["hr"]
    rows, columns = top // 2 + 3, left // 2 + 3
    np.testing.assert_array_equal(small, whole[rows : rows + 16, columns : columns + 16])


def test_downsample_bicubic_and_refusals():
    results = DownsampleHR(method="bicubic")(sample((20, 24)))
    assert results["hr"].dtype == np.uint8 and results["hr"].shape == (10, 12, 3)
    # A ramp stays a ramp, centred: pixel i lies at 2 i + 1/2.
    assert abs(int(results["hr"][5, 5, 0]) - 10.5) <= 0.5
    with pytest.raises(GeometryError, match="'scene' is a real pair"):
        DownsampleHR()(sample((20, 24), (10, 12)))
    for wrong in (dict(method="nearest"), dict(size=4), dict(sigma=0)):
        with pytest.raises(ConfigError, match="DownsampleHR"):
            DownsampleHR(**wrong)


def test_pack_keeps_what_a_batch_needs():
    packed = PackSample()(sample((8, 8), (4, 4)))
    assert set(packed) == {"hr", "lr", "key", "meta", "seed"}
    assert packed["lr"].shape == (3, 4, 4)
    assert packed["hr"].is_contiguous()


def test_degrade_in_the_worker_equals_the_degradation(aligned_pairs):
    from realdeg import create_degradation

    degradation = dict(type="Compose", parts=[dict(type="Bicubic"), dict(type="AWGN")])
    steps = [
        dict(type="PairedCrop", patch_size=24),
        dict(type="Degrade", degradation=degradation, record=True),
        dict(type="PackSample"),
    ]
    data = HRFolderDataset(aligned_pairs / "HR", scale=2, transforms=steps)
    item = data[(7, 1)]
    reference = create_degradation(degradation, scale=2, same_size=False)
    torch.testing.assert_close(item["lr"], reference(item["hr"][None], [item["seed"]])[0])
    assert not torch.equal(item["lr"], data[(8, 1)]["lr"])
    assert "Compose" in str(item["meta"]["trace"])


def test_degrade_quantises_and_refuses():
    clean = Degrade(dict(type="Bicubic"), quantise=True)(sample((24, 24)))["lr"]
    assert clean.shape == (12, 12, 3)
    np.testing.assert_allclose(clean * 255, np.round(clean * 255), atol=1e-4)
    with pytest.raises(ConfigError, match="has a real LR already"):
        Degrade(dict(type="Bicubic"))(sample((24, 24), (12, 12)))
    with pytest.raises(ConfigError, match="has not been trained"):
        Degrade(dict(type="DML"))(sample((24, 24)))


def test_pairs_come_out_aligned(aligned_pairs):
    steps = [
        dict(type="PairedCrop", patch_size=16),
        dict(type="Flip", transpose=True),
        dict(type="PackSample"),
    ]
    data = PairedFolderDataset("HR", "LR", scale=2, data_root=aligned_pairs, transforms=steps)
    for position in range(10):
        item = data[(position, position % 5)]
        hr, lr = item["hr"], item["lr"]
        # LR holds HR's pixels of even rows and columns, whichever way they are flipped.
        even = (hr[0] * 255).round() % 2 + (hr[1] * 255).round() % 2 == 0
        np.testing.assert_array_equal(hr[:, even].reshape(3, 8, 8), lr)
