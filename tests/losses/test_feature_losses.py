"""Losses in the features of a trunk: formulas, layers, weights, and what a trunk must not do."""

from __future__ import annotations

import copy
import io
import pickle

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d
from torch import nn

from realdeg.errors import ConfigError, GeometryError
from realdeg.losses import ContentLoss, TextureLoss, WeightedLoss, build_loss
from realdeg.losses.content import CONTENT_PRESETS
from realdeg.registry import LOSSES
from realdeg.testing import LossContract
from realdeg.utils.trunk_files import PerceptualUnavailableError
from realdeg.utils.trunks import TRUNKS
from tests.losses.feature_trunks import small_trunk, vgg_file, vgg_state

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


@pytest.fixture(scope="module")
def vgg16(tmp_path_factory):
    return vgg_file(tmp_path_factory.mktemp("vgg"))


class TestEveryFeatureLoss(LossContract):
    autocast_error = 0.02

    @pytest.fixture(params=["ContentLoss", "TextureLoss"], autouse=True)
    def each(self, request, vgg16):
        self.component = LOSSES.get(request.param)
        self.settings = {"trunk": "vgg16", "weights": vgg16, "layers": {"conv1_1": 0.5}}

    @property
    def config(self):
        return {"type": self.component.__name__, **self.settings}

    def pair(self, batch=2, height=3, width=4):
        # Larger images would only cost time: half precision is tested below.
        return super().pair(batch, min(height, 20), min(width, 20))


def images(*shape, seed=0):
    return torch.tensor(np.random.default_rng(seed).random(shape))


def reference(image, trunk, black=0.0, white=1.0):
    """The features of one image (3, H, W) by name, in float64 and without torch's operators."""
    x = (image.numpy() - black) / (white - black)
    x = (x - MEAN[:, None, None]) / STD[:, None, None]
    found = {}
    for name, layer in trunk.named_children():
        if isinstance(layer, nn.Conv2d):
            taps, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
            x = np.stack(
                [
                    sum(correlate2d(x[c], taps[o, c], mode="same") for c in range(len(x))) + bias[o]
                    for o in range(len(taps))
                ]
            )
        elif isinstance(layer, nn.ReLU):
            x = np.maximum(x, 0)
        else:
            height, width = x.shape[1] // 2, x.shape[2] // 2
            x = x[:, : 2 * height, : 2 * width].reshape(len(x), height, 2, width, 2).max((2, 4))
        found[name] = x
    return found


def apart(x, y, criterion):
    if criterion == "norm":
        return np.sqrt(((x - y) ** 2).sum()) / x.size
    return np.abs(x - y).mean() if criterion == "l1" else ((x - y) ** 2).mean()


@pytest.mark.parametrize("criterion", ["l1", "mse", "norm"])
@pytest.mark.parametrize("normalise_features", [False, True])
def test_content_loss_equals_its_formula(criterion, normalise_features):
    trunk, x, y = small_trunk(), images(2, 3, 7, 8), images(2, 3, 7, 8, seed=1)
    layers = {"conv1": 0.3, "relu1": 0.5, "pool1": 2.0, "conv2": 0.7}
    options = dict(criterion=criterion, divisor=12.75, normalise_features=normalise_features)
    loss = ContentLoss(layers=layers, trunk=trunk, weight=0.4, **options)
    wanted = 0.0
    for a, b in zip(x, y, strict=True):
        ours, theirs = reference(a, trunk), reference(b, trunk)
        for name, factor in layers.items():
            f, g = ours[name], theirs[name]
            if normalise_features:
                f, g = f / (f.mean() + 1e-6), g / (g.mean() + 1e-6)
            wanted += factor * apart(f / 12.75, g / 12.75, criterion) / 2
    assert loss(x, y).item() == pytest.approx(0.4 * wanted, rel=1e-9)
    assert torch.autograd.gradcheck(lambda p: loss(p, y), x.requires_grad_(), fast_mode=True)


@pytest.mark.parametrize("criterion", ["l1", "mse", "norm", "gatys"])
@pytest.mark.parametrize("patch", [None, 4])
def test_texture_loss_equals_its_formula(criterion, patch):
    trunk, x, y = small_trunk(), images(1, 3, 8, 13), images(1, 3, 8, 13, seed=1)
    layers = {"relu1": 0.3, "relu2": 2.0}
    loss = TextureLoss(layers=layers, trunk=trunk, criterion=criterion, patch_size=patch)
    ours, theirs = reference(x[0], trunk), reference(y[0], trunk)
    wanted = 0.0
    for name, factor in layers.items():
        values, (_, height, width) = [], ours[name].shape
        side = {None: None, 4: {"relu1": 4, "relu2": 2}[name]}[patch]
        rows = range(0, height - (side or height) + 1, side or height)
        columns = range(0, width - (side or width) + 1, side or width)
        for top in rows:
            for left in columns:
                cut = np.s_[:, top : top + (side or height), left : left + (side or width)]
                f, g = (each[name][cut].reshape(len(each[name]), -1) for each in (ours, theirs))
                n, m = f.shape
                if criterion == "gatys":
                    value = ((f @ f.T - g @ g.T) ** 2).sum() / (4 * n**2 * m**2)
                else:
                    value = apart(f @ f.T / (n * m), g @ g.T / (n * m), criterion)
                values.append(value)
        assert len(values) == (1 if patch is None else 6)
        wanted += factor * np.mean(values)
    assert loss(x, y).item() == pytest.approx(wanted, rel=1e-9)
    assert torch.autograd.gradcheck(lambda p: loss(p, y), x.requires_grad_(), fast_mode=True)


@pytest.mark.parametrize("scale", [(-1.0, 1.0), (0.0, 255.0)])
def test_ranges_are_mapped_to_one(scale):
    x, y, (black, white) = images(1, 3, 6, 6), images(1, 3, 6, 6, seed=1), scale
    plain = ContentLoss(layers={"conv2": 1}, trunk=small_trunk())(x, y)
    other = ContentLoss(layers={"conv2": 1}, trunk=small_trunk(), input_range=scale)
    x, y = (each * (white - black) + black for each in (x, y))
    assert other(x, y).item() == pytest.approx(plain.item(), rel=1e-9)
    # EDSR-PyTorch subtracts 255 * mean and divides by 255 * std: the same features.
    edsr = (x[0].numpy() - 255 * MEAN[:, None, None]) / (255 * STD[:, None, None])
    if scale[1] == 255:
        ours = other._trunk.kind.conv1(torch.tensor(edsr)[None])
        assert torch.allclose(other.features(x)["conv2"], other._trunk.kind[1:4](ours))
    with pytest.raises(ConfigError, match="input_range"):
        ContentLoss(layers={"conv2": 1}, trunk=small_trunk(), input_range=(1, 1))


def test_luma_is_repeated_and_other_channels_are_refused():
    loss = ContentLoss(layers={"conv2": 1}, trunk=small_trunk())
    x, y = images(2, 1, 6, 6), images(2, 1, 6, 6, seed=1)
    assert loss(x, y).item() == loss(x.expand(-1, 3, -1, -1), y.expand(-1, 3, -1, -1)).item()
    with pytest.raises(GeometryError, match=r"ContentLoss.*\(2, 2, 6, 6\)"):
        loss(x.expand(-1, 2, -1, -1), y.expand(-1, 2, -1, -1))


def test_before_or_after_relu():
    x, y = images(1, 3, 6, 6), images(1, 3, 6, 6, seed=1)
    value = {
        (name, before): ContentLoss(layers={name: 1}, before_relu=before, trunk=small_trunk())(x, y)
        for name in ("conv2", "relu2")
        for before in (True, False)
    }
    assert value["conv2", False] == value["relu2", True] == value["relu2", False]
    assert value["conv2", True] != value["relu2", True]
    # A layer that is wanted is not overwritten by the ReLU after it.
    both = ContentLoss(layers={"conv2": 1, "relu2": 1}, trunk=small_trunk())(x, y)
    assert both.item() == pytest.approx((value["conv2", True] + value["relu2", True]).item())
    with pytest.raises(ConfigError, match="two of the layers are 'relu2'"):
        ContentLoss(layers={"conv2": 1, "relu2": 1}, before_relu=False, trunk=small_trunk())


def test_the_image_and_a_trunk_that_begins_with_a_relu_are_left_alone():
    x = images(1, 3, 4, 4) - 0.5
    kept = x.clone()
    trunk = nn.Sequential()
    trunk.add_module("relu0", nn.ReLU())
    ContentLoss(layers={"relu0": 1}, trunk=trunk, normalise=False)(x, x)
    assert torch.equal(x, kept)


def test_the_trunk_runs_no_further_than_needed():
    trunk, seen = small_trunk(), []
    for name, layer in trunk.named_children():
        layer.register_forward_hook(lambda *_, name=name: seen.append(name))
    ContentLoss(layers={"relu1": 1}, trunk=trunk)(images(1, 3, 6, 6), images(1, 3, 6, 6))
    assert "conv1" in seen and "pool1" not in seen and "conv2" not in seen


def test_the_target_and_the_trunk_have_no_gradient():
    loss = ContentLoss(layers={"conv2": 1}, trunk=small_trunk())
    x, y = images(1, 3, 6, 6).requires_grad_(), images(1, 3, 6, 6, seed=1).requires_grad_()
    loss(x, y).backward()
    assert x.grad.abs().sum() > 0 and y.grad is None
    assert all(p.grad is None and not p.requires_grad for p in loss._trunk.kind.parameters())


def test_the_trunk_is_in_no_state_dict_and_stays_in_evaluation_mode():
    trunk = small_trunk()
    trunk.add_module("drop", nn.Dropout(0.5))
    task = nn.ModuleList([ContentLoss(layers={"drop": 1}, trunk=trunk), nn.Linear(2, 2)])
    assert set(task.state_dict()) == {"1.weight", "1.bias"}
    assert len(list(task.parameters())) == 2
    task.train()
    x, y = images(1, 3, 6, 6), images(1, 3, 6, 6, seed=1)
    assert task[0](x, y).item() == task[0](x, y).item()
    twin = copy.deepcopy(task)  # as a moving average of the task makes one
    assert twin[0]._trunk is task[0]._trunk


def test_a_module_may_return_features_by_name():
    class Named(nn.Module):
        def forward(self, image):
            return {"mean": image.mean((2, 3), keepdim=True)}

    x, y = images(1, 3, 6, 6), images(1, 3, 6, 6, seed=1)
    loss = ContentLoss(layers={"mean": 1}, trunk=Named(), normalise=False, criterion="mse")
    wanted = (x.mean((2, 3)) - y.mean((2, 3))).square().mean()
    assert loss(x, y).item() == pytest.approx(wanted.item())
    with pytest.raises(ConfigError, match="Named returns mean, wanted.*other"):
        ContentLoss(layers={"other": 1}, trunk=Named())(x, y)
    with pytest.raises(ConfigError, match="has its own: remove 'weights'"):
        ContentLoss(layers={"mean": 1}, trunk=Named(), weights="a.pth")


class TestVGG:
    def test_losses_of_the_same_weights_share_one_trunk(self, vgg16):
        a = ContentLoss(layers={"conv1_2": 1}, trunk="vgg16", weights=vgg16)
        b = TextureLoss(layers={"relu1_1": 1}, trunk="vgg16", weights=vgg16)
        x = images(1, 3, 8, 8).float()
        for loss in (a, b):
            loss(x, x)
        here = (torch.device("cpu"), torch.float32)
        assert a._trunk.at(*here) is b._trunk.at(*here)
        again = pickle.loads(pickle.dumps(a))
        assert again(x, x * 0.5).item() == a(x, x * 0.5).item()

    def test_values_of_two_layers(self, vgg16):
        state = vgg_state()
        x, y = images(2, 3, 16, 16).float(), images(2, 3, 16, 16, seed=1).float()
        found = []
        for image in (x, y):
            mean, std = (torch.tensor(v, dtype=torch.float32)[:, None, None] for v in (MEAN, STD))
            f = (image - mean) / std
            for index in (0, 2, 5):
                weight, bias = (state[f"features.{index}.{k}"].float() for k in ("weight", "bias"))
                f = nn.functional.conv2d(f, weight, bias, padding=1)
                if index == 2:
                    f = nn.functional.max_pool2d(f.relu(), 2)
                elif index == 0:
                    f = f.relu()
            found.append(f)
        wanted = (found[0] - found[1]).abs().mean()
        loss = ContentLoss(layers={"conv2_1": 1}, trunk="vgg16", weights=vgg16)
        assert loss(x, y).item() == pytest.approx(wanted.item(), rel=1e-5)
        compact = x.contiguous(memory_format=torch.channels_last)
        assert loss(compact, y).item() == pytest.approx(wanted.item(), rel=1e-5)

    def test_autocast_runs_the_trunk_but_not_the_distance(self, vgg16):
        loss = ContentLoss(layers={"conv2_1": 1}, trunk="vgg16", weights=vgg16)
        x, y = images(1, 3, 16, 16).float(), images(1, 3, 16, 16, seed=1).float()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert loss.features(x)["conv2_1"].dtype == torch.bfloat16
            value = loss(x, y)
        assert value.dtype == torch.float32
        assert value.item() == pytest.approx(loss(x, y).item(), rel=0.02)
        assert value.item() != loss(x, y).item()

    @pytest.mark.parametrize("form", ["basicsr", "safetensors"])
    def test_other_names_in_the_same_order(self, vgg16, tmp_path, form):
        path = tmp_path / "other"
        if form == "safetensors":
            from safetensors.torch import save_file

            path = path.with_suffix(".safetensors")  # sorts names: features.10 before features.2
            save_file(vgg_state(), path)
        else:
            torch.save(vgg_state(naming="basicsr"), path)
        x, y = images(1, 3, 16, 16).float(), images(1, 3, 16, 16, seed=1).float()
        options = dict(layers={"conv3_1": 1}, trunk="vgg16")
        ours, theirs = (ContentLoss(weights=str(w), **options)(x, y) for w in (path, vgg16))
        assert ours.item() == theirs.item()

    def test_missing_or_wrong_weights(self, tmp_path, vgg16, monkeypatch):
        monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
        x = images(1, 3, 16, 16).float()
        loss = ContentLoss()
        for call in (loss.prepare, lambda: loss(x, x)):
            with pytest.raises(PerceptualUnavailableError, match="vgg19-dcbb9e9d.pth.*https://"):
                call()
        assert ContentLoss(weight=0)(x, x).item() == 0
        wrong = ContentLoss(weights=vgg16)
        with pytest.raises(PerceptualUnavailableError, match="13 convolutions.*VGG19's 16"):
            wrong.prepare()
        damaged = tmp_path / "damaged.pth"
        damaged.write_bytes(b"PK\3\4 and no more")
        with pytest.raises(PerceptualUnavailableError, match="damaged"):
            ContentLoss(weights=str(damaged)).prepare()

    def test_code_in_a_file_is_not_run(self, tmp_path, capsys):
        class Hostile:
            def __reduce__(self):
                return (print, ("run",))

        held = io.BytesIO()
        torch.save({**vgg_state(), "note": Hostile()}, held)
        path = tmp_path / "hostile.pth"
        path.write_bytes(held.getvalue())
        x = images(1, 3, 8, 8).float()
        loss = ContentLoss(layers={"conv1_1": 1}, trunk="vgg16", weights=str(path))
        assert loss(x, x).item() == 0
        assert capsys.readouterr().out == ""

    @pytest.mark.parametrize("trunk", ["vgg16", "vgg16_shift_tolerant"])
    @pytest.mark.parametrize("layer", ["relu1_2", "conv2_1", "pool2", "conv3_1", "conv4_1"])
    def test_the_least_side_that_a_layer_takes(self, vgg16, trunk, layer):
        config = {"type": "ContentLoss", "trunk": trunk, "layers": {layer: 1.0}}
        loss = build_loss({**config, "weights": vgg16})
        least = loss.least_side_for(config)
        assert loss(*(images(2, 1, 3, least, least + 3).float())).isfinite()
        if least > 1:
            with pytest.raises(GeometryError, match="too small"):
                loss(*(images(2, 1, 3, least - 1, least + 3).float()))
        assert loss.least_side_for({**config, "weight": 0}) == 1

    def test_small_images_are_refused_by_name(self, vgg16):
        loss = ContentLoss(layers={"conv3_1": 1}, trunk="vgg16", weights=vgg16)
        x = images(1, 3, 3, 16).float()
        with pytest.raises(GeometryError, match=r"conv3_1.*'pool2' sees \(1, 8\)"):
            loss(x, x)


@pytest.mark.parametrize("name", CONTENT_PRESETS)
def test_presets_build(name):
    loss = build_loss({"type": "ContentLoss", **CONTENT_PRESETS[name]})
    assert set(loss.layers) <= set(TRUNKS["vgg19"].layers())


def test_wrong_layers_and_trunks_are_named():
    with pytest.raises(ConfigError, match="VGG19 has no layer 'conv5_5'.*conv5_4"):
        ContentLoss(layers={"conv5_5": 1})
    with pytest.raises(ConfigError, match="Sequential has no layer 'conv3', it has conv1, relu1"):
        ContentLoss(layers={"conv3": 1}, trunk=small_trunk())
    with pytest.raises(ConfigError, match="trunk is 'vgg18'.*Did you mean 'vgg1"):
        ContentLoss(trunk="vgg18")
    with pytest.raises(ConfigError, match="layers"):
        ContentLoss(layers={})


def test_a_term_beside_others(vgg16):
    content = {"type": "ContentLoss", "trunk": "vgg16", "weights": vgg16, "layers": {"conv1_1": 1}}
    loss = WeightedLoss([{"type": "L1Loss", "weight": 0.01}, {**content, "name": "perceptual"}])
    found = loss(images(1, 3, 8, 8), images(1, 3, 8, 8, seed=1))
    assert list(found) == ["loss_l1", "loss_perceptual"]
    assert not loss.state_dict()
