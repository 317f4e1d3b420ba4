"""Test sets of known blur: where their pixels lie, what is written, and that it is repeatable."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from scipy.io import loadmat

from realdeg import make_test_set
from realdeg.apis import Degrader, read_manifest
from realdeg.apis.blind_sets import POSITIONS, SETS, set_degradations, write_kernel
from realdeg.cli.main import main
from realdeg.degradations import Trace
from realdeg.errors import ConfigError
from realdeg.testing.datasets import write_picture
from realdeg.utils.image import read_image


@pytest.fixture
def photos(tmp_path):
    write_picture(tmp_path / "photos/a.png", 50, 61, seed=1)
    write_picture(tmp_path / "photos/more/b.png", 48, 52, seed=2)
    return tmp_path / "photos"


def make(name, photos, folder, **options):
    made = make_test_set(name, photos, folder, progress=False, **{"jobs": 1, **options})
    assert made.ok
    return made


def files_of(folder):
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("name", SETS)
def test_lr_pixels_lie_where_they_are_said_to(name, position, scale):
    # Of a ramp every LR pixel is the coordinate of its centre.
    side = 24 * scale
    ramp = torch.arange(side, dtype=torch.float64).expand(1, 1, side, side) / side
    first = {"aligned": (scale - 1) / 2, "half-pixel": scale / 2, "corner": 0.0}[position]
    for degradation in set_degradations(name, scale, position).values():
        assert degradation.offset == pytest.approx(first)
        for image in (ramp, ramp.transpose(2, 3)):
            lr = degradation(image, [5])
            along = lr[0, 0, 12] if image is ramp else lr[0, 0, :, 12]
            wanted = scale * torch.arange(24, dtype=torch.float64) + first
            torch.testing.assert_close(along[8:16] * side, wanted[8:16], atol=5e-3, rtol=0)


def test_div2krk_has_a_kernel_for_each_image_which_gives_its_lr(photos, tmp_path):
    made = make("DIV2KRK", photos, tmp_path / "set", scale=4, position="half-pixel")
    assert made.kernels == 2 and (tmp_path / "set/kernels.png").is_file()
    kernels = []
    for name in ("a", "more/b"):
        hr = read_image(tmp_path / f"set/HR/{name}.png")
        lr = read_image(tmp_path / f"set/LR/{name}.png")
        assert hr.shape[0] == 4 * lr.shape[0] and hr.shape[1] == 4 * lr.shape[1]
        whole = read_image(photos / f"{name}.png")
        np.testing.assert_array_equal(hr, whole[: hr.shape[0], : hr.shape[1]])
        kernel = loadmat(tmp_path / f"set/kernels/{name}.mat")["Kernel"]
        assert kernel.shape == (21, 21) and kernel.dtype == np.float64
        # As the authors' program does it.
        expected = [ndimage.correlate(hr[..., c].astype(float), kernel)[::4, ::4] for c in range(3)]
        assert np.abs(np.stack(expected, -1) - lr).max() <= 0.51
        kernels.append(kernel)
    assert np.abs(kernels[0] - kernels[1]).max() > 0.01


@pytest.mark.parametrize("name", SETS)
def test_traces_replay_and_other_runs_give_the_same_bytes(name, photos, tmp_path):
    made = make(name, photos, tmp_path / "set", scale=2, seed=3)
    parts = set_degradations(name, 2)
    for part, degradation in parts.items():
        lr = tmp_path / "set/LR" / part
        for record in read_manifest(lr)[1].values():
            hr = read_image(tmp_path / "set/HR" / record["output"])
            again = Degrader(degradation).replay(hr, Trace.from_dict(record["trace"]))
            np.testing.assert_array_equal(again, read_image(lr / record["output"]))
    assert len(made.lr) == len(parts) == {"DIV2KRK": 1, "Gaussian8": 8}[name]

    make(name, photos, tmp_path / "again", scale=2, seed=3, jobs=2)
    first = files_of(tmp_path / "set")
    assert files_of(tmp_path / "again") == first

    # A killed run continues.
    lost = sorted((tmp_path / "again/LR").rglob("b.png"))[0]
    lost.unlink()
    made = make(name, photos, tmp_path / "again", scale=2, seed=3)
    assert sum(len(summary.made) for summary in made.lr.values()) == 1
    assert files_of(tmp_path / "again") == first


def test_gaussian8_has_eight_widths_for_every_image(photos, tmp_path):
    make("Gaussian8", photos, tmp_path / "set", scale=4)
    widths = sorted(float(p.name.removeprefix("sigma_")) for p in (tmp_path / "set/LR").iterdir())
    np.testing.assert_allclose(widths, np.linspace(1.8, 3.2, 8))
    for width in widths:
        kernel = loadmat(tmp_path / f"set/kernels/sigma_{width:g}.mat")["Kernel"]
        axis = np.arange(21) - 10
        bell = np.exp(-(axis**2) / (2 * width**2))
        wanted = np.outer(bell, bell) / bell.sum() ** 2
        np.testing.assert_allclose(kernel, wanted, atol=1e-12)
        assert {p.name for p in (tmp_path / f"set/LR/sigma_{width:g}").rglob("*.png")} == {
            "a.png",
            "b.png",
        }


def test_the_seed_decides_the_kernels(photos, tmp_path):
    for seed in (0, 1):
        make("DIV2KRK", photos, tmp_path / f"{seed}", scale=2, seed=seed)
    first, second = (loadmat(tmp_path / f"{n}/kernels/a.mat")["Kernel"] for n in (0, 1))
    assert np.abs(first - second).max() > 0.01


def test_a_kernel_file_does_not_depend_on_the_moment(tmp_path, monkeypatch):
    kernel = torch.rand(3, 3, dtype=torch.float64)
    one = write_kernel(tmp_path / "a.mat", kernel).read_bytes()
    monkeypatch.setattr("time.asctime", lambda *now: "Thu Jan  1 00:00:00 1970")
    assert write_kernel(tmp_path / "b.mat", kernel).read_bytes() == one
    np.testing.assert_array_equal(loadmat(tmp_path / "b.mat")["Kernel"], kernel.numpy())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["DIV2KR", "--scale", "2"], "the set is one of DIV2KRK, Gaussian8, got 'DIV2KR'. Did you"),
        (["Gaussian8", "--scale", "5"], "the scale of Gaussian8 is from 2 to 4, got 5"),
        (["DIV2KRK", "--scale", "1"], "the scale of DIV2KRK is from 2 to 8, got 1"),
        (["DIV2KRK", "--scale", "2", "--position", "centre"], "the position is one of aligned"),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything_is_written(
    words, told, photos, tmp_path, capsys
):
    command = ["make_test_set", words[0], str(photos), str(tmp_path / "set"), *words[1:]]
    assert main(command) == 2
    assert told in capsys.readouterr().err and not (tmp_path / "set").exists()


def test_an_image_that_cannot_be_read_is_reported(photos, tmp_path, capsys):
    (photos / "bad.png").write_bytes(b"no picture")
    command = ["make_test_set", "DIV2KRK", str(photos), str(tmp_path / "set"), "--scale", "2"]
    assert main([*command, "--quiet", "--jobs", "1"]) == 2
    told = capsys.readouterr().err
    assert "bad.png" in told and "2 made" in told


def test_a_set_of_another_seed_is_not_continued(photos, tmp_path):
    make("DIV2KRK", photos, tmp_path / "set", scale=2)
    with pytest.raises(ConfigError, match="seed"):
        make_test_set("DIV2KRK", photos, tmp_path / "set", scale=2, seed=1, progress=False)
