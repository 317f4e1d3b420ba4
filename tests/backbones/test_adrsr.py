from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from realdeg.backbones.adrsr import ADRSR
from realdeg.backbones.dnsr import DNSR
from realdeg.errors import ConfigError, GeometryError


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_parameters():
    with torch.device("meta"):
        network = ADRSR()
        assert count(network) == count(ADRSR(scale=8)) == 117_369_132
        assert count(ADRSR(scale=4)) == 116_954_568
        assert count(DNSR()) == count(DNSR(scale=4)) == 81_498_886
    stages = [count(network.get_submodule(f"stage{i}")) for i in (1, 2, 3)]
    assert stages == [38_980_108, 38_987_020, 39_401_920] and count(network.out_conv) == 84


def test_keys_of_the_public_denoiser():
    with torch.device("meta"):
        state = DNSR(scale=4).state_dict()
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    assert len(shapes) == 596
    for name, shape in {
        "sub_mean.weight": (3, 3, 1, 1),
        "head1.0.weight": (256, 3, 3, 3),
        "body1.31.body.0.weight": (256, 256, 3, 3),
        "body1.0.body.1.running_mean": (256,),
        "body1.0.body.3.weight": (256, 256, 3, 3),
        "body1.31.body.4.num_batches_tracked": (),
        "body1.32.bias": (256,),
        "tail1.0.weight": (3, 256, 3, 3),
        "head2.0.weight": (256, 6, 3, 3),
        "body2.31.body.2.weight": (256, 256, 3, 3),
        "body2.32.weight": (256, 256, 3, 3),
        "tail2.0.0.weight": (1024, 256, 3, 3),
        "tail2.0.2.bias": (1024,),
        "tail2.1.weight": (3, 256, 3, 3),
    }.items():
        assert shapes[name] == shape


def test_keys_of_adrsr():
    with torch.device("meta"):
        state, four = ADRSR(scale=8).state_dict(), ADRSR(scale=4).state_dict()
    assert state["stage1.head.weight"].shape == (256, 3, 3, 3)
    assert state["stage2.head.weight"].shape == (256, 6, 3, 3)
    assert state["stage3.body.31.conv2.weight"].shape == (256, 256, 3, 3)
    assert state["stage3.up.weight"].shape == (192, 256, 3, 3)
    assert four["stage3.up.weight"].shape == (12, 256, 3, 3)
    assert set(four) - set(state) == {"stage3.up2.weight", "stage3.up2.bias"}


def reference(network, lr):
    w = network.state_dict()

    def conv(x, name):
        return F.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], padding=1)

    def stage(x, name, steps):
        first = x = conv(x, f"{name}.head")
        for b in range(2):
            inner = conv(conv(x, f"{name}.body.{b}.conv1").relu(), f"{name}.body.{b}.conv2")
            x = x + 0.1 * inner
        x = conv(conv(x, f"{name}.body_out") + first, f"{name}.pre")
        for layer, step in steps:
            x = conv(x, f"{name}.{layer}")
            b, _, h, width = x.shape
            # Colour by colour, as TensorFlow's depth_to_space is called.
            x = x.reshape(b, 3, step, step, h, width).permute(0, 1, 4, 2, 5, 3)
            x = x.reshape(b, 3, h * step, width * step)
        return x

    mean = lr.mean((2, 3), keepdim=True)
    x = lr - mean
    d2 = F.avg_pool2d(x, 2)
    a = stage(F.avg_pool2d(d2, 2), "stage1", [("up", 2)])
    b = stage(torch.cat([a, d2], 1), "stage2", [("up", 2)])
    last = [("up", 2), ("up2", 2)] if network.scale == 4 else [("up", 8)]
    c = stage(torch.cat([b, x], 1), "stage3", last)
    return conv(c, "out_conv") + mean


@pytest.mark.parametrize("scale", [4, 8])
def test_equals_a_reference(scale):
    torch.manual_seed(0)
    network = ADRSR(scale=scale, num_features=4, num_blocks=2).double()
    lr = 255 * torch.rand(2, 3, 8, 4, dtype=torch.float64)
    torch.testing.assert_close(network(lr), reference(network, lr), rtol=1e-10, atol=1e-9)


def test_the_mean_is_of_the_image_and_not_of_its_padding():
    network = ADRSR.example().eval()
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)
    lr = 255 * torch.rand(1, 3, 5, 6)
    wanted = lr.mean((2, 3), keepdim=True).expand(1, 3, 20, 24)
    torch.testing.assert_close(network(lr), wanted)


def test_local_halo_is_tight(reach):
    """Without the mean, which sees the whole image."""
    for scale in (4, 8):
        network = ADRSR(scale=scale, num_features=2, num_blocks=1)
        halo = network.halo
        network._mean = lambda image: torch.zeros_like(image[..., :1, :1])
        assert reach(network) == halo, scale


def test_halo_of_the_denoiser_is_tight(reach):
    for scale in (2, 3, 4):
        network = DNSR(scale=scale, num_features=2, num_blocks=1).eval()
        assert reach(network) == network.halo, scale


def test_the_denoiser_goes_first():
    """The second trunk sees the clean image in front of the noisy one."""
    torch.manual_seed(0)
    network = DNSR(scale=2, num_features=4, num_blocks=1).double().eval()
    lr = 255 * torch.rand(1, 3, 5, 4, dtype=torch.float64)
    seen = []
    network.head2.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    network(lr)
    image = network.sub_mean(lr)
    torch.testing.assert_close(seen[0][:, 3:], image)
    features = network.head1(image)
    clean = network.tail1(network.body1(features) + features)
    torch.testing.assert_close(seen[0][:, :3], clean)


def test_refusals():
    for kind in (ADRSR, DNSR):
        for settings in ({"num_blocks": 0}, {"num_features": 0}):
            with pytest.raises(ConfigError):
                kind(**settings)
    with pytest.raises(GeometryError, match="4, 8"):
        ADRSR(scale=2)
