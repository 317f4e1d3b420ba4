import json

import numpy as np
import pytest
import torch

from realdeg import create_degradation
from realdeg.apis.comparison import compare_degradations
from realdeg.degradations import AWGN, Bicubic
from realdeg.errors import ConfigError, DataError
from realdeg.evaluation.degradation.numbers import NUMBERS


def picture(seed):
    """A picture whose detail dies out towards high frequencies, in colour."""
    rng = np.random.default_rng(seed)
    side = 192
    axis = np.fft.fftfreq(side)
    radius = np.hypot(axis[:, None], axis) + 1 / side
    field = np.fft.ifft2(np.fft.fft2(rng.standard_normal((3, side, side))) / radius).real
    return torch.from_numpy((0.5 + 0.1 * field / field.std()).clip(0, 1)).float()


class Pairs:
    """Real pairs whose camera is the bicubic kernel and a little noise."""

    def __init__(self, count=2, paired=True):
        self.count, self.paired = count, paired

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        hr = picture(index)
        item = {"key": f"scene {index}", "hr": hr}
        if self.paired:
            item["lr"] = AWGN(scale=2, sigma=1)(hr[None], [index])[0]
        return item

    def summary(self):
        return f"{self.count} made pairs"


@pytest.fixture(scope="module")
def comparison():
    degradations = {
        "right": Bicubic(scale=2),
        "noisy": create_degradation(dict(type="AWGN", sigma=12), scale=2),
    }
    return compare_degradations(degradations, Pairs(), shown=1, draws=2, seed=5)


def test_the_right_degradation_comes_nearest(comparison):
    right, noisy = (comparison.results[name].numbers for name in ("right", "noisy"))
    assert right["psnr[lr-fidelity]"] > noisy["psnr[lr-fidelity]"] + 5
    assert right["frechet[lr-statistics]"] < noisy["frechet[lr-statistics]"]
    noise = "noise[lr-statistics]"
    camera = comparison.camera[noise]
    assert abs(right[noise] - camera) < abs(noisy[noise] - camera)
    assert right["kernel_error[lr-statistics]"] < 0.1
    assert "right" in comparison.best("psnr[lr-fidelity]")
    assert comparison.best("noise_texture[lr-statistics]") == []
    assert "noisy" not in comparison.best(noise)


def test_every_number_is_there_or_has_a_reason(comparison):
    names = {label.split("[")[0] for label in comparison.labels}
    # Kernel fields are estimated by what is trained for it, not by a degradation.
    assert names == set(NUMBERS) - {"field_error", "mean_kernel_error", "true_mean_error"}
    for result in comparison.results.values():
        assert set(result.numbers) | set(result.missing) == set(comparison.labels)
    assert "176 px" in comparison.results["right"].missing["ms_ssim[lr-fidelity]"]


def test_written_files(comparison, tmp_path):
    data, text = comparison.write(tmp_path / "new")
    read = json.loads(data.read_text())
    assert read["seed"] == 5 and read["draws"] == 2 and read["dataset"] == "2 made pairs"
    numbers = read["degradations"]["right"]["numbers"]
    assert numbers == comparison.results["right"].numbers
    assert set(read["protocols"]) == {"lr-fidelity", "lr-statistics"}
    curve = read["degradations"]["noisy"]["curves"]["NoiseStatistics"]
    assert len(curve["frequency"]) == len(curve["generated"]) == 7
    table = [line for line in text.read_text().splitlines() if line.startswith("|")]
    assert table[0] == "| number | the camera | right | noisy |"
    assert len({line.count("|") for line in table}) == 1
    psnr = next(line for line in table if line.startswith("| `psnr"))
    assert f"**{numbers['psnr[lr-fidelity]']:.2f}**" in psnr


def test_again_gives_the_same_numbers(comparison):
    again = compare_degradations({"noisy": AWGN(scale=2, sigma=12)}, Pairs(), draws=2, seed=5)
    assert again.results["noisy"].numbers == comparison.results["noisy"].numbers
    other = compare_degradations({"noisy": AWGN(scale=2, sigma=12)}, Pairs(), draws=2, seed=6)
    assert other.results["noisy"].numbers != comparison.results["noisy"].numbers


def test_a_type_gets_the_geometry_of_the_pairs():
    named = compare_degradations({"by name": "Bicubic"}, Pairs(1), shown=1, seed=5)
    made = compare_degradations({"by name": Bicubic(scale=2)}, Pairs(1), shown=1, seed=5)
    assert named.results["by name"].numbers == made.results["by name"].numbers


def test_luma_alone_has_no_colour():
    found = compare_degradations({"right": Bicubic(scale=2)}, Pairs(1), colour="y")
    missing = found.results["right"].missing
    assert "colour[lr-statistics]" in missing and "frechet[lr-statistics]" in missing
    assert "n/a for every one" in found.to_markdown()


def test_mistakes():
    with pytest.raises(DataError, match="needs pairs"):
        compare_degradations({"a": Bicubic(scale=2)}, Pairs(paired=False))
    with pytest.raises(DataError, match="no pairs"):
        compare_degradations({"a": Bicubic(scale=2)}, Pairs(0))
    for bad in (dict(draws=0), dict(colour="lab")):
        with pytest.raises(ConfigError, match="comparison needs"):
            compare_degradations({"a": Bicubic(scale=2)}, Pairs(), **bad)
    with pytest.raises(ConfigError, match="comparison needs"):
        compare_degradations({}, Pairs())
    # Of another scale than the pairs.
    with pytest.raises(DataError, match="is 64 x 64 but the target 96 x 96"):
        compare_degradations({"a": Bicubic(scale=3)}, Pairs(1))
