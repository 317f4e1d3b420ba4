from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from realdeg.backbones import load_weights
from realdeg.backbones.parts.windows import (
    BLOCKED,
    DropPath,
    WindowAttention,
    from_windows,
    position_index,
    shift_masks,
    to_windows,
)
from realdeg.backbones.swinir import SwinIR
from realdeg.errors import CheckpointError, ConfigError, GeometryError
from tests.backbones.judging import losses_of_training, on_meta, parameters, shapes

SMALL = {"groups": 2, "blocks": 2, "width": 12, "heads": 2}


def shaken(network: torch.nn.Module) -> torch.nn.Module:
    """Draw every parameter anew, wide enough that each matters."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator))
    return network.eval()


def same_picture_in_spandrel(make, folder, lr) -> None:
    """Load our file there and theirs here; in double, as wide weights give large numbers."""
    spandrel = pytest.importorskip(
        "spandrel", reason="spandrel cannot be imported", exc_type=Exception
    )
    ours = shaken(make())
    torch.save(ours.state_dict(), folder / "ours.pth")
    theirs = spandrel.ModelLoader(device="cpu").load_from_file(folder / "ours.pth").model.eval()
    torch.save({"params_ema": theirs.state_dict()}, folder / "theirs.pth")
    again = make().eval()
    load_weights(again, folder / "theirs.pth")
    lr = lr.double()
    with torch.no_grad():
        wanted = theirs.double()(lr.clone())
        for network in (ours, again):
            found = network.double()(lr * network.value_range) / network.value_range
            torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-6)
    assert wanted.std() > 0.01


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        ({"scale": 2}, 11_752_487),
        ({"scale": 3}, 11_937_127),
        ({}, 11_900_199),
        ({"scale": 8}, 12_047_911),
        ({"preset": "lightweight", "scale": 2}, 910_152),
        ({"preset": "lightweight", "scale": 3}, 918_267),
        ({"preset": "lightweight"}, 929_628),
        ({"preset": "real_m", "scale": 2}, 11_678_631),
        ({"preset": "real_m"}, 11_715_559),
        ({"preset": "real_l"}, 28_013_059),
    ],
)
def test_parameters(settings, count):
    assert parameters(on_meta(SwinIR, **settings)) == count


def test_papers_leave_the_position_bias_out():
    """The lightweight networks' 878K, 886K and 897K."""
    for scale, count in ((2, 878), (3, 886), (4, 897)):
        named = on_meta(SwinIR, scale=scale, preset="lightweight").named_parameters()
        table = "relative_position_bias_table"
        total = sum(value.numel() for name, value in named if not name.endswith(table))
        assert round(total / 1000) == count


def test_published_keys():
    found = shapes(on_meta(SwinIR))
    block = "layers.5.residual_group.blocks.5."
    wanted = {
        "conv_first.weight": (180, 3, 3, 3),
        "patch_embed.norm.bias": (180,),
        block + "norm1.weight": (180,),
        block + "attn.relative_position_bias_table": (225, 6),
        block + "attn.relative_position_index": (64, 64),
        block + "attn.qkv.weight": (540, 180),
        block + "attn.proj.bias": (180,),
        block + "attn_mask": (4, 64, 64),
        block + "mlp.fc1.weight": (360, 180),
        block + "mlp.fc2.weight": (180, 360),
        "layers.0.conv.weight": (180, 180, 3, 3),
        "norm.weight": (180,),
        "conv_after_body.weight": (180, 180, 3, 3),
        "conv_before_upsample.0.weight": (64, 180, 3, 3),
        "upsample.0.weight": (256, 64, 3, 3),
        "upsample.2.weight": (256, 64, 3, 3),
        "conv_last.weight": (3, 64, 3, 3),
    }
    assert {name: found[name] for name in wanted} == wanted
    # 14 for each block, a mask for every second; the group's convolution; the rest.
    assert len(found) == 36 * 14 + 18 + 6 * 2 + 16
    assert "layers.0.residual_group.blocks.0.attn_mask" not in found

    light = shapes(on_meta(SwinIR, preset="lightweight"))
    assert light["upsample.0.weight"] == (48, 60, 3, 3) and "conv_last.weight" not in light
    real = shapes(on_meta(SwinIR, preset="real_l"))
    for name in ("conv_up1", "conv_up2", "conv_hr", "conv_last", "conv_before_upsample.0"):
        assert f"{name}.weight" in real
    assert real["layers.8.conv.2.weight"] == real["conv_after_body.2.weight"] == (60, 60, 1, 1)
    same = shapes(on_meta(SwinIR, same_size=True))
    assert same["conv_last.weight"] == (3, 180, 3, 3)
    assert not any(name.startswith("upsample") for name in same)


@pytest.mark.parametrize("size", [(12, 16), (4, 8), (4, 4)])
@pytest.mark.parametrize("shift", [0, 2])
def test_window_attention_equals_the_naive_form(size, shift):
    """Scores and masks written out, the masks from labels over the whole image."""
    torch.manual_seed(0)
    window, heads, channels = 4, 2, 6
    layer = shaken(WindowAttention(channels, window, heads)).double()
    image = torch.randn(2, *size, channels, dtype=torch.float64)
    windows = to_windows(image, window)
    assert torch.equal(from_windows(windows, window), image)
    masks = shift_masks(window, shift) if shift else None
    found = layer(windows, masks)

    label = torch.zeros(1, *size, 1, dtype=torch.float64)
    for i, rows in enumerate((slice(-window), slice(-window, -shift), slice(-shift, None))):
        for j, columns in enumerate((slice(-window), slice(-window, -shift), slice(-shift, None))):
            if shift:
                label[:, rows, columns] = 3 * i + j
    labels = to_windows(label, window)[0, ..., 0].flatten(0, 1)
    apart = BLOCKED * (labels[:, :, None] != labels[:, None]).double()
    offset = torch.stack(torch.meshgrid(*[torch.arange(window)] * 2, indexing="ij")).flatten(1)
    dy, dx = offset[:, :, None] - offset[:, None] + window - 1
    assert torch.equal(position_index(window), dy * (2 * window - 1) + dx)
    bias = layer.relative_position_bias_table[dy * (2 * window - 1) + dx].permute(2, 0, 1)
    flat = windows.flatten(1, 2)
    query, key, value = layer.qkv(flat).chunk(3, -1)
    query, key, value = (x.unflatten(-1, (heads, -1)).transpose(2, 3) for x in (query, key, value))
    scores = query @ key.transpose(-1, -2) * (channels // heads) ** -0.5 + bias + apart[:, None]
    wanted = layer.proj((scores.softmax(-1) @ value).transpose(2, 3).flatten(3))
    torch.testing.assert_close(found.flatten(1, 2), wanted)


def test_masks_of_other_training_sizes_are_left_out(tmp_path):
    network = shaken(SwinIR(scale=2, **SMALL))
    state = network.state_dict()
    kept = {name: v for name, v in state.items() if not name.endswith("attn_mask")}
    masks = {name: torch.full((36, 64, 64), 9.0) for name in state if name.endswith("attn_mask")}
    assert len(masks) == 2
    for stored in (kept, kept | masks):
        torch.save({"params": stored}, tmp_path / "swinir.pth")
        again = SwinIR(scale=2, **SMALL).eval()
        load_weights(again, tmp_path / "swinir.pth")
        lr = torch.rand(1, 3, 9, 11)
        with torch.no_grad():
            assert torch.equal(again(lr), network(lr))
    torch.save(kept, tmp_path / "swinir.pth")
    with pytest.raises(CheckpointError, match="reconstruction='pixelshuffle'"):
        load_weights(SwinIR(scale=2, preset="real_m", **SMALL), tmp_path / "swinir.pth")


def test_odd_sizes_are_reflected():
    network = shaken(SwinIR(scale=2, **SMALL))
    lr = torch.rand(1, 3, 9, 13)
    with torch.no_grad():
        whole = network(F.pad(lr, (0, 3, 0, 7), mode="reflect"))
        torch.testing.assert_close(network(lr), whole[..., :18, :26])


FORMS = [
    {"scale": 4},
    {"scale": 3, "reconstruction": "pixelshuffledirect"},
    {"scale": 2, "reconstruction": "nearest+conv"},
    {"scale": 4, "reconstruction": "nearest+conv", "three_convs": True},
    {"same_size": True},
]


@pytest.mark.parametrize("form", FORMS)
def test_halo_is_tight(form, reach):
    network = SwinIR(
        groups=1, blocks=2, width=4, heads=1, window=2, head_features=2, drop_path=0.0, **form
    )
    assert reach(network.eval()) == network.halo


@pytest.mark.parametrize("form", [{}, *FORMS[2:]])
def test_it_learns(form):
    torch.manual_seed(0)
    network = SwinIR(groups=1, blocks=2, width=16, heads=2, window=4, **{"scale": 2, **form})
    if network.same_size:
        network.scale = 1  # the batch is not shrunk
    before, after = losses_of_training(network, F.l1_loss)
    assert after < 0.7 * before or network.same_size and after < before


def test_drop_path():
    layer = DropPath(0.25).train()
    torch.manual_seed(0)
    found = layer(torch.ones(4000, 1, 1, 2))
    assert set(found.unique().tolist()) == {0.0, torch.tensor(1 / 0.75).item()}
    assert abs(found.mean() - 1) < 0.05
    assert torch.equal(found[..., 0], found[..., 1])
    assert torch.equal(layer.eval()(found), found)
    rates = [m.rate for m in SwinIR(drop_path=0.3, **SMALL).modules() if isinstance(m, DropPath)]
    assert rates == pytest.approx([0.0, 0.1, 0.2, 0.3])


@pytest.mark.parametrize("form", [*FORMS, {"same_size": True, "window": 7, "value_range": 255.0}])
def test_spandrel_gives_the_same_picture(tmp_path, form):
    same_picture_in_spandrel(lambda: SwinIR(**SMALL, **form), tmp_path, torch.rand(2, 3, 17, 24))


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"preset": "clasical"}, ConfigError),
        ({"reconstruction": "bilinear"}, ConfigError),
        ({"width": 10, "heads": 3}, ConfigError),
        ({"drop_path": 1.0}, ConfigError),
        ({"colour": "lab"}, ConfigError),
        ({"blocks": 0}, ConfigError),
        ({"scale": 5}, GeometryError),
        ({"scale": 3, "preset": "real_m"}, GeometryError),
    ],
)
def test_refusals(settings, error):
    with pytest.raises(error):
        SwinIR(**settings)


def test_grey():
    network = SwinIR(colour="y", scale=2, **SMALL)
    assert network.mean.abs().sum() == 0
    assert network(torch.rand(1, 1, 9, 8)).shape == (1, 1, 18, 16)
