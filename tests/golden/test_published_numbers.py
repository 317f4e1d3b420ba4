"""Numbers that others printed for pictures that they published, digit by digit.

The pictures are results of OSEDiff (Wu et al., NeurIPS 2024) for the crops of RealSR, and
``published.csv`` is the log of the authors' test_metrics.py, with six decimals.
"""

import csv

import pytest

import realdeg


@pytest.fixture(scope="module")
def osediff(real_data, tmp_path_factory):
    """The folder of pictures, one of their ground truth, and the published rows by name."""
    pictures, crops = real_data / "OSEDiff-golden", real_data / "RealSR-V3-crops"
    if not pictures.is_dir() or not crops.is_dir():
        pytest.skip(f"there is no {pictures}, or no {crops}")
    with (pictures / "published.csv").open(encoding="utf-8") as stream:
        rows = {row["name"].removesuffix(".png"): row for row in csv.DictReader(stream)}
    truth = tmp_path_factory.mktemp("hr")
    for name in rows:
        file = f"{name.removesuffix('_LR4')}_HR.png"
        (found,) = crops.rglob(file)
        (truth / file).symlink_to(found)
    return pictures, truth, rows


def test_every_picture_scores_what_its_authors_printed(osediff):
    pictures, truth, rows = osediff
    report = realdeg.score_folders(pictures, truth, protocol="stablesr-testsets")
    assert len(report.images) == len(rows) == 20
    for name, row in rows.items():
        values = report.images[name]["values"]
        # pyiqa adds 1e-8 to the mean squared error, which takes up to 3e-5 dB off.
        printed = float(row["psnr"])
        assert printed <= values["psnr[stablesr-testsets]"] + 1e-6
        assert values["psnr[stablesr-testsets]"] == pytest.approx(printed, abs=1e-4), name
        assert values["ssim[stablesr-testsets]"] == pytest.approx(float(row["ssim"]), abs=1e-6)
    assert report.averages["psnr[stablesr-testsets]"] == pytest.approx(24.8532, abs=5e-5)
    assert report.averages["ssim[stablesr-testsets]"] == pytest.approx(0.78272, abs=5e-6)


@pytest.mark.parametrize(
    ("change", "psnr", "ssim"),
    [
        (dict(rounding="uint8-y"), -0.0039, 0.0),
        (dict(ssim_rounding="uint8-rgb"), 0.0, 0.0013),
        (dict(ssim_floor=-1), 0.0, -0.0019),
        (dict(border=4), 0.0298, 0.0007),
        (dict(colour="rgb", ssim_rounding=None), -1.6551, -0.0510),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_each_setting_is_worth(osediff, change, psnr, ssim):
    """The table of docs/scoring.md: how far a number is off if one setting is another's."""
    pictures, truth, _ = osediff
    changed = dict(base="stablesr-testsets", name="changed", **change)
    report = realdeg.score_folders(pictures, truth, protocol=["stablesr-testsets", changed])
    found = {
        name: report.averages[f"{name}[changed]"] - report.averages[f"{name}[stablesr-testsets]"]
        for name in ("psnr", "ssim")
    }
    assert found["psnr"] == pytest.approx(psnr, abs=1e-4)
    assert found["ssim"] == pytest.approx(ssim, abs=1e-4)
