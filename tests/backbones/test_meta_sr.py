"""Meta-SR: the network, and a scale of 2.37 from the command line to the picture."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate, l1_loss, unfold

from realdeg import create_backbone, create_degradation
from realdeg.apis import SuperResolver
from realdeg.backbones.meta_sr import MetaSR, MetaUpscale, _Axis
from realdeg.cli.main import main
from realdeg.datasets.transforms.crop import PairedCrop
from realdeg.degradations.bicubic import Bicubic
from realdeg.errors import ConfigError, GeometryError
from realdeg.utils.component import save_component
from realdeg.utils.image import read_image, write_image
from realdeg.utils.scales import hr_length, whole_step

SCALES = [1, 1.1, 1.5, 2, 2.37, 2.5, 3, 3.3, 4]


def numbers(network) -> int:
    return sum(value.numel() for value in network.state_dict().values())


def as_published(upscale: MetaUpscale, features: torch.Tensor, scale: float) -> torch.Tensor:
    """Weights for every output pixel, and its neighbourhood times them."""
    batch, channels, height, width = features.shape
    size = (int(height * scale + 1e-9), int(width * scale + 1e-9))
    reciprocal = torch.tensor(1 / scale, dtype=torch.float32)
    rows, columns = (torch.arange(side, dtype=torch.float32) * reciprocal for side in size)
    places = torch.stack(
        [
            torch.full(size, 1 / scale),
            (rows - rows.floor())[:, None].expand(size),
            (columns - columns.floor()).expand(size),
        ],
        -1,
    )
    weights = upscale.meta_block(places.to(features)).unflatten(-1, (channels * 9, 3))
    patches = unfold(features, 3, padding=1).unflatten(2, (height, width))
    patches = patches[:, :, rows.long()][..., columns.long()]
    return torch.einsum("bkhw,hwkc->bchw", patches, weights)


@pytest.mark.parametrize(
    ("trunk", "count", "keys"), [("rdn", 22_419_096, 304), ("edsr", 1_665_560, 76)]
)
def test_parameters_and_keys(trunk, count, keys):
    with torch.device("meta"):
        network = MetaSR(trunk=trunk)
    assert numbers(network) == count and len(network.state_dict()) == keys
    assert count - 24 == sum(parameter.numel() for parameter in network.parameters())
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert shapes["P2W.meta_block.0.weight"] == (256, 3)
    assert shapes["P2W.meta_block.2.weight"] == (1728, 256)
    assert shapes["sub_mean.weight"] == (3, 3, 1, 1)
    if trunk == "rdn":
        assert shapes["RDBs.15.convs.7.conv.0.weight"] == (64, 512, 3, 3)
        assert shapes["RDBs.0.LFF.weight"] == (64, 576, 1, 1)
        assert shapes["GFF.0.weight"] == (64, 1024, 1, 1) and "GFF.1.bias" in shapes
        assert "SFENet1.weight" in shapes and "SFENet2.weight" in shapes
    else:
        assert shapes["head.0.weight"] == (64, 3, 3, 3)
        assert shapes["body.15.body.2.weight"] == shapes["body.16.weight"] == (64, 64, 3, 3)


@pytest.mark.parametrize("scale", [*SCALES, 10.01, 23.7])
def test_upscaling_is_the_published_one(scale):
    torch.manual_seed(0)
    upscale = MetaUpscale(5, 7).double()
    for height, width in ((1, 1), (1, 6), (11, 7)):
        features = torch.randn(2, 5, height, width, dtype=torch.float64)
        wanted = as_published(upscale, features, scale)
        # The published places have 24 bits.
        torch.testing.assert_close(upscale(features, scale), wanted, rtol=0, atol=1e-4)


def test_bands_make_no_difference(monkeypatch):
    torch.manual_seed(0)
    upscale, features = MetaUpscale(4, 6), torch.randn(2, 4, 9, 8)
    whole = upscale(features, 2.3)
    monkeypatch.setattr("realdeg.backbones.meta_sr._BAND", 1)
    torch.testing.assert_close(upscale(features, 2.3), whole)


def test_every_output_pixel_has_a_place_of_its_own():
    like = torch.zeros(1)
    for hundredths in range(101, 500, 3):
        scale = hundredths / 100
        for length in (1, 57, 1000):
            axis = _Axis(length, scale, like)
            assert len(axis.used) == length * hundredths // 100 == hr_length(length, scale)
            assert (axis.used.diff() > 0).all() and axis.used[-1] < length * axis.slots
            assert (axis.fractions >= 0).all() and (axis.fractions <= 1).all()


@pytest.mark.parametrize("trunk", ["rdn", "edsr"])
def test_halo_is_exact(trunk, reach):
    network = MetaSR(**{**MetaSR.example().arguments, "trunk": trunk})
    assert reach(network) == network.halo


def test_each_call_may_have_its_scale():
    network = MetaSR.example().eval()
    lr = torch.rand(1, 3, 5, 7) * 255
    for scale in SCALES:
        output = network(lr, scale=scale)
        assert output.shape[2:] == network.output_size(5, 7, scale)
        again = MetaSR(**{**network.arguments, "scale": scale})
        again.load_state_dict(network.state_dict())
        assert torch.equal(again(lr), output)
    for scale in (0.5, 0, -2, float("nan"), float("inf"), "2", True):
        with pytest.raises(GeometryError, match="scale"):
            network(lr, scale=scale)
        with pytest.raises(GeometryError, match="MetaSR: scale is .*, wanted a"):
            MetaSR(scale=scale)


def test_fractional_scale_in_a_graph_and_in_autocast():
    network = MetaSR.example().eval()
    lr = torch.rand(1, 3, 6, 5) * 255
    with torch.no_grad():
        wanted = network(lr, scale=2.5)
        exported = torch.export.export(network, (lr,), {"scale": 2.5}).module()
        torch.testing.assert_close(exported(lr, scale=2.5), wanted)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = network(lr, scale=2.5).float()
    assert (found - wanted).abs().max() < 0.03 * 255


def test_gradients_at_a_fractional_scale():
    torch.manual_seed(0)
    network = MetaSR.example()
    network(torch.rand(2, 3, 6, 5) * 255, scale=1.7).square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
    assert network(torch.zeros(0, 3, 6, 5), scale=1.7).shape == (0, 3, 10, 8)


def test_learns_several_scales():
    torch.manual_seed(0)
    network = MetaSR.example()
    hr = interpolate(torch.rand(2, 3, 4, 4), size=(24, 24), mode="bicubic").clamp(0, 1) * 255
    pairs = {scale: Bicubic(scale)(hr / 255, [0, 1]) * 255 for scale in (2, 1.6, 3)}
    optimiser = torch.optim.Adam(network.parameters(), 2e-3)
    history = []
    for iteration in range(30):
        scale = (2, 1.6, 3)[iteration % 3]
        loss = l1_loss(network(pairs[scale], scale=scale), hr)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        history.append(loss.item())
    assert sum(history[-3:]) < 0.7 * sum(history[:3])


@pytest.mark.parametrize("settings", [{"trunk": "rdm"}, {"growth": 0}, {"num_blocks": 0}])
def test_refusals(settings):
    with pytest.raises(ConfigError):
        MetaSR(**settings)


def test_tiles_of_a_fractional_scale():
    network = MetaSR(**{**MetaSR.example().arguments, "scale": 2.5})
    image = np.random.default_rng(0).random((61, 43, 3), np.float32)
    whole = SuperResolver(network, tile=None).upscale(image)
    tiles = SuperResolver(network, tile=16).upscale(image)
    assert whole.shape == (152, 107, 3)
    np.testing.assert_allclose(tiles, whole, atol=1e-4)
    # Places that are no multiple of anything short cannot be met: the image is taken whole.
    odd = SuperResolver(network, tile=16).upscale(image, scale=2.5 + 1e-7)
    assert odd.shape == whole.shape and whole_step(2.5 + 1e-7) is None


def test_weights_serve_every_scale(tmp_path):
    network = MetaSR.example()
    path = tmp_path / "backbone.safetensors"
    save_component(path, network, kind="backbone", type="MetaSR", arguments=network.arguments)
    assert create_backbone(path).scale == 2
    assert create_backbone(path, scale=2.37).scale == 2.37
    with pytest.raises(GeometryError, match="same_size"):
        create_backbone(path, scale=2.37, same_size=True)


CONFIG = """
scale = 2.37
same_size = False
degradation = dict(type="Bicubic")
backbone = dict(type="MetaSR", num_features=6, num_blocks=1, num_convs=1, growth=4, hidden=8)
model = dict(type="SuperResolution", loss=dict(type="L1Loss"))
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    sampler=dict(type="PositionSampler"),
    collate_fn=dict(type="collate_batch"),
    dataset=dict(
        type="HRFolderDataset",
        folder="hr",
        transforms=[dict(type="PairedCrop", patch_size=37), dict(type="PackSample")],
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type="EvalSampler"),
    collate_fn=dict(type="collate_batch"),
    dataset=dict(
        type="HRFolderDataset",
        folder="hr",
        transforms=[
            dict(type="ModCrop"),
            dict(type="Degrade", degradation=dict(type="Bicubic"), quantise=True),
            dict(type="PackSample"),
        ],
    ),
)
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-4))
train_cfg = dict(type="IterTrainLoop", max_iters=2)
test_cfg = dict(type="EvalLoop")
test_evaluator = dict(
    type="Evaluator",
    metrics=[dict(type="ImageQuality", protocol="benchmark-y", metrics=["psnr"])],
)
"""


def test_from_training_to_pictures(tmp_path, monkeypatch):
    """train, test and infer at 2.37, from a folder and from pairs on disk."""
    monkeypatch.chdir(tmp_path)
    picture = np.random.default_rng(0).integers(0, 255, (61, 50, 3), np.uint8)
    write_image(tmp_path / "data/hr/a.png", picture)
    (tmp_path / "meta.py").write_text(CONFIG)
    assert main(["train", "meta.py", "--device", "cpu", "--work-dir", "run"]) == 0
    weights = tmp_path / "run/backbone.safetensors"
    assert main(["test", "meta.py", str(weights), "--device", "cpu", "--work-dir", "run"]) == 0
    report = json.loads((tmp_path / "run/test/report.json").read_text())
    assert report["mean"]["psnr[benchmark-y]"] > 0
    assert (tmp_path / "run/test/comparison.png").is_file()

    # The LR image that was tested, written and super-resolved: 61 = int(2.37 * 26), and 49 of the
    # 50 columns = int(2.37 * 21).
    assert main(["degrade", "Bicubic", "data/hr", "data/lr", "--scale", "2.37"]) == 0
    assert read_image(tmp_path / "data/lr/a.png").shape == (26, 21, 3)
    pairs = "dict(type='PairedFolderDataset',hr_dir='hr',lr_dir='lr',transforms=[{},{}])".format(
        "dict(type='ModCrop')", "dict(type='PackSample')"
    )
    words = ["test", "meta.py", str(weights), "--device", "cpu", "--work-dir", "pairs"]
    assert main([*words, "--cfg-options", f"test_dataloader.dataset={pairs}"]) == 0
    again = json.loads((tmp_path / "pairs/test/report.json").read_text())
    assert again["mean"] == pytest.approx(report["mean"], abs=0.01)

    for scale, shape in (("2.37", (61, 49, 3)), ("1.1", (28, 23, 3)), ("3", (78, 63, 3))):
        words = ["infer", str(weights), "data/lr/a.png", f"sr{scale}.png", "--scale", scale]
        assert main([*words, "--device", "cpu"]) == 0
        assert read_image(tmp_path / f"sr{scale}.png").shape == shape


@pytest.mark.parametrize("scale", ["0.5", "nan", "two"])
def test_no_scale(scale, capsys):
    with pytest.raises(SystemExit):
        main(["infer", "w.safetensors", "a.png", "b.png", "--scale", scale])
    assert "is not a scale" in capsys.readouterr().err


def test_pairs_are_not_cut_between_two_pixels():
    pair = {"hr": np.zeros((50, 40, 3)), "lr": np.zeros((20, 16, 3)), "key": "a", "meta": {}}
    sample = {**pair, "scale": 2.5, "same_size": False}
    with pytest.raises(ConfigError, match="pairs are not cropped"):
        PairedCrop(25)(dict(sample))
    with pytest.raises(ConfigError, match="is not divisible by the scale 2.5"):
        PairedCrop(24)(dict(sample))
    with pytest.raises(GeometryError, match="not scale=2.4"):
        PairedCrop(24)({**sample, "scale": 2.4})


def test_other_components_say_that_they_are_for_whole_scales(tmp_path, capsys):
    (tmp_path / "meta.py").write_text(CONFIG)
    words = ["test", str(tmp_path / "meta.py"), "--device", "cpu", "--cfg-options"]
    assert main([*words, "backbone.type=VDSR"]) == 2
    assert "'backbone' is a VDSR, which takes whole scales only" in capsys.readouterr().err
    with pytest.raises(GeometryError, match="AWGN: scale is 2.5, wanted a whole number"):
        create_degradation({"type": "AWGN"}, 2.5, False)
