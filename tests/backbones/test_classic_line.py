"""The networks on the interpolated image, side by side: numbers, names, and that they learn."""

from __future__ import annotations

import pytest
import torch

from realdeg import create_backbone
from realdeg.errors import ConfigError
from realdeg.losses.build import build_loss

# Type and settings; all parameters; weights of convolutions alone, as older papers count.
COUNTS = [
    ("SRCNN", {"kernels": "9-1-5"}, 8_129, 8_032),
    ("SRCNN", {"kernels": "9-3-5"}, 24_513, 24_416),
    ("SRCNN", {}, 57_281, 57_184),
    ("SRCNN", {"colour": "rgb"}, 69_251, 69_152),
    ("SRCNN", {"colour": "rgb", "kernels": "9-1-5"}, 20_099, 20_000),
    ("VDSR", {}, 665_921, 664_704),
    ("VDSR", {"bias": False}, 664_704, 664_704),
    ("VDSR", {"colour": "rgb", "mean_shift": True}, 668_227, 667_008),
    ("DRCN", {}, 1_775_121, 1_774_080),
    ("DRRN", {}, 297_601 + 13_058, 297_216),
    ("DRRN", {"units": 9}, 297_601 + 4_866, 297_216),
    ("DRRN", {"use_bn": False}, 297_601, 297_216),
    ("DRRN", {"use_bn": False, "bias": False}, 297_216, 297_216),
    ("MemNet", {}, 695_497, 676_992),
    ("MemNet", {"blocks": 4}, 447_175, 435_328),
    ("MemNet", {"blocks": 10, "units": 10}, 1_422_029, 1_373_312),
    ("REDNet", {}, 4_134_785, 4_131_072),
    ("REDNet", {"width": 64}, 1_035_201, 1_033_344),
    ("CNF", {}, 338_335, 337_467),
    ("CNF", {"bias": False}, 337_468, 337_467),
    ("CNF", {"depths": "11-13-15"}, 449_311, 448_059),
    ("CNF", {"depths": "3-5-7"}, 227_359, 226_875),
    ("IRCNN", {}, 185_857, 185_472),
    ("IRCNN", {"colour": "rgb"}, 188_163, 187_776),
    ("KMSR", {}, 1_185_152, 1_183_104),
]

# How many tensors there are, those that count batches aside, and some of their shapes.
KEYS = [
    (
        "SRCNN",
        {},
        6,
        {"conv1.weight": (64, 1, 9, 9), "conv2.weight": (32, 64, 5, 5), "conv3.bias": (1,)},
    ),
    (
        "VDSR",
        {"colour": "rgb", "mean_shift": True},
        44,
        {"sub_mean.weight": (3, 3, 1, 1), "residual_layer.17.conv.bias": (64,)},
    ),
    (
        "DRCN",
        {},
        11,
        {
            "embedding.0.weight": (256, 1, 3, 3),
            "embedding.2.bias": (256,),
            "recursion.weight": (256, 256, 3, 3),
            "reconstruction.2.weight": (1, 256, 3, 3),
            "weights": (16,),
        },
    ),
    (
        "DRRN",
        {"use_bn": False, "bias": False},
        4,
        {
            "input.weight": (128, 1, 3, 3),
            "conv1.weight": (128, 128, 3, 3),
            "conv2.weight": (128, 128, 3, 3),
            "output.weight": (1, 128, 3, 3),
        },
    ),
    ("DRRN", {}, 8 + 4 * 52, {"bn1.24.running_mean": (128,), "input_bn.weight": (1,)}),
    (
        "MemNet",
        {},
        1 + 6 + 2 + 6 * (4 + 48 + 6) + 6 * 4,
        {
            "feature.bn.weight": (1,),
            "blocks.5.gate.conv.weight": (64, 12 * 64, 1, 1),
            "blocks.0.gate.bn.bias": (7 * 64,),
            "blocks.2.bn_b.5.weight": (64,),
            "recon_bn.5.weight": (64,),
            "recon_conv.weight": (1, 64, 3, 3),
            "weights": (6,),
        },
    ),
    (
        "REDNet",
        {},
        60,
        {
            "conv_layers.0.weight": (128, 1, 3, 3),
            "deconv_layers.0.weight": (128, 128, 3, 3),
            "deconv_layers.14.weight": (128, 1, 3, 3),
            "deconv_layers.14.bias": (1,),
        },
    ),
    (
        "CNF",
        {},
        2 * (7 + 9 + 11) + 3 + 1,
        {"nets.2.convs.10.weight": (1, 32, 5, 5), "fuse.0": (1, 1, 3, 3), "bias": (1,)},
    ),
    (
        "IRCNN",
        {"colour": "rgb"},
        14,
        {
            "model.0.weight": (64, 3, 3, 3),
            "model.6.bias": (64,),
            "model.12.weight": (3, 64, 3, 3),
        },
    ),
]

MSE = {"type": "MSELoss"}
RECIPES = [
    ("SRCNN", {"kernels": "9-5-5", "width": 8, "mapped": 6}, MSE, 1e-2),
    # The public code adds the squares up.
    ("VDSR", {"depth": 4, "width": 8}, {"type": "MSELoss", "reduction": "sum"}, 2e-3),
    (
        "DRCN",
        {"recursions": 3, "width": 8},
        {
            "type": "WeightedLoss",
            "terms": [MSE],
            "outputs": {"sr": 0.5, "recursion_*": 0.5 / 3},
        },
        2e-3,
    ),
    ("DRRN", {"units": 2, "width": 8}, {**MSE, "weight": 0.5}, 2e-3),
    ("DRRN", {"units": 2, "width": 8, "use_bn": False, "bias": False}, MSE, 2e-3),
    (
        "MemNet",
        {"blocks": 2, "units": 2, "width": 8},
        {"type": "WeightedLoss", "terms": [MSE], "outputs": {"sr": 1 / 3, "memory_*": 1 / 3}},
        2e-3,
    ),
    ("REDNet", {"depth": 10, "width": 8}, MSE, 2e-3),
    (
        "CNF",
        {"depths": "3-4", "width": 8},
        {"type": "WeightedLoss", "terms": [MSE], "outputs": {"member_*": 1.0}},
        5e-3,
    ),
    (
        "CNF",
        {"depths": "3-4", "width": 8},
        {"type": "WeightedLoss", "terms": [MSE], "outputs": {"sr": 1.0}},
        5e-3,
    ),
    ("IRCNN", {"width": 8}, MSE, 2e-3),
]


@pytest.mark.parametrize(("kind", "settings", "total", "convolutions"), COUNTS)
def test_parameters(kind, settings, total, convolutions):
    with torch.device("meta"):
        network = create_backbone({"type": kind, **settings})
    parameters = list(network.parameters())
    assert sum(p.numel() for p in parameters) == total
    assert sum(p.numel() for p in parameters if p.ndim == 4) == convolutions


@pytest.mark.parametrize(("kind", "settings", "number", "telling"), KEYS)
def test_keys(kind, settings, number, telling):
    with torch.device("meta"):
        state = create_backbone({"type": kind, **settings}).state_dict()
    shapes = {k: tuple(v.shape) for k, v in state.items() if "num_batches" not in k}
    assert len(shapes) == number
    assert {name: shapes.get(name) for name in telling} == telling


@pytest.mark.parametrize(("kind", "settings", "loss", "rate"), RECIPES)
def test_learns(kind, settings, loss, rate):
    """Thirty steps on one batch lower the loss of the network's own paper."""
    torch.manual_seed(0)
    network = create_backbone({"type": kind, "scale": 2, **settings})
    compare = build_loss(loss)
    hr = torch.rand(4, 1, 12, 12)
    lr = torch.nn.functional.avg_pool2d(hr, 3, 1, 1)
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    history = []
    for _ in range(31):
        outputs = network(lr)
        found = compare(outputs, hr if isinstance(outputs, torch.Tensor) else {"sr": hr})
        value = sum(found.values()) if isinstance(found, dict) else found
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        history.append(value.item())
    assert history[-1] < 0.9 * history[0]


@pytest.mark.parametrize(
    ("kind", "settings", "words"),
    [
        ("SRCNN", {"kernels": "9-5"}, "three odd sizes"),
        ("SRCNN", {"kernels": "9-4-5"}, "three odd sizes"),
        ("SRCNN", {"kernels": (9, 5, 5)}, "kernels' is .9, 5, 5., wanted a string"),
        ("SRCNN", {"width": 0}, "width' is 0, wanted"),
        ("DRCN", {"recursions": 0}, "recursions"),
        ("DRCN", {"colour": "lab"}, "'y' or 'rgb'"),
        ("DRRN", {"units": 2.5}, "whole number"),
        ("MemNet", {"blocks": True}, "whole number"),
        ("REDNet", {"depth": 7}, "divisible by 2"),
        ("CNF", {"depths": "2-7"}, "3 layers or more"),
        ("CNF", {"depths": ""}, "whole numbers"),
        ("CNF", {"width": 7}, "even width"),
        ("IRCNN", {"sigma": 0}, "sigma' is 0, wanted a number above 0"),
        ("VDSR", {"mean_shift": True}, "colour='rgb'"),
        ("VDSR", {"depth": 1}, "from 2 to 65536"),
    ],
)
def test_refusals(kind, settings, words):
    with pytest.raises(ConfigError, match=words):
        create_backbone({"type": kind, **settings})
