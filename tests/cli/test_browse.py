from __future__ import annotations

import numpy as np
import pytest
import torch

from realdeg.apis.browsing import training_samples
from realdeg.cli.main import main
from realdeg.config import load_config
from realdeg.degradations import AWGN
from realdeg.utils.colour import rgb_to_y
from realdeg.utils.image import image_size, read_image, to_tensor, write_image
from realdeg.utils.streams import Stream

CONFIG = """
scale = 2
same_size = False
seed = 4
backbone = dict(type='VDSR', depth=3, width=4)
degradation = dict(type='AWGN', sigma=20)
model = dict(type='SuperResolution')
train_dataloader = dict(
    batch_size=2,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='PositionSampler'),
    collate_fn=dict(type='collate_batch'),
    dataset=dict(type='HRFolderDataset', folder='{folder}', transforms=[
        dict(type='PairedCrop', patch_size=8), dict(type='Flip'), {extra} dict(type='PackSample')]),
)
"""


@pytest.fixture
def config(tmp_path):
    rng = np.random.default_rng(0)
    for name in "abc":
        image = rng.integers(0, 256, (16, 20, 3), np.uint8)
        write_image(tmp_path / "hr" / f"{name}.png", image)

    def write(extra=""):
        file = tmp_path / "mine.py"
        file.write_text(CONFIG.format(folder=tmp_path / "hr", extra=extra))
        return file

    return write


def patch_of(sample, folder):
    """Cut and flip the file as the sample's meta say."""
    image = to_tensor(read_image(folder / f"{sample.key.rsplit('/', 1)[-1]}.png"))
    top, left, height, width = sample.meta["crop"]
    image = image[:, top : top + height, left : left + width]
    horizontal, vertical, transpose = sample.meta["flip"]
    assert not transpose
    dims = [dim for dim, on in ((1, vertical), (2, horizontal)) if on]
    return image.flip(dims)


def test_samples_are_those_of_the_training(config, tmp_path):
    samples = training_samples(load_config(config()), 5)
    assert [sample.position for sample in samples] == [0, 1, 2, 3, 4]
    noise = AWGN(scale=2, sigma=20)
    for sample in samples:
        luma = rgb_to_y(patch_of(sample, tmp_path / "hr"))
        torch.testing.assert_close(sample.hr, luma)
        seed = Stream(4, sample.position).seed_for("degradation")
        lr = noise(luma[None], [seed])[0].mul(255).add(0.5).floor().div(255)
        torch.testing.assert_close(sample.lr, lr)
        replayed = noise.replay(luma[None], [sample.trace])[0]
        assert (replayed - sample.lr).abs().max() < 0.5 / 255 + 1e-6
        assert any("crop 8 x 8" in words for words in sample.in_words())
        assert any("AWGN" in words for words in sample.in_words())


def test_start_continues_where_the_training_would_be(config):
    cfg = load_config(config())
    early, late = training_samples(cfg, 5), training_samples(cfg, 3, start=1)
    for former, latter in zip(early[2:], late, strict=True):
        assert former.position == latter.position and former.key == latter.key
        assert torch.equal(former.hr, latter.hr) and torch.equal(former.lr, latter.lr)


def test_degradation_in_the_data_loader_is_traced(config):
    extra = "dict(type='Degrade', degradation=dict(type='Bicubic')),"
    (sample,) = training_samples(load_config(config(extra)), 1)
    assert sample.trace.type == "Bicubic" and "data loader" in sample.origin


def test_command(config, tmp_path, capsys):
    out = tmp_path / "made" / "sheet.png"
    assert main(["browse", str(config()), "-n", "3", "--out", str(out)]) == 0
    assert min(image_size(out)) > 300
    printed = capsys.readouterr().out
    assert "crop 8 x 8 at row" in printed and "AWGN" in printed and "flip" in printed


def test_mistakes(config, tmp_path, capsys):
    assert main(["browse", "no_such_recipe", "--out", str(tmp_path / "s.png")]) == 2
    assert main(["browse", str(config()), "-n", "0", "--out", str(tmp_path / "s.png")]) == 2
    assert "Traceback" not in capsys.readouterr().err
