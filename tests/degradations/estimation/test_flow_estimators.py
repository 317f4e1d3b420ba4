"""Estimators that search a flow of kernels: they find a known kernel, where it is, and refuse."""

from __future__ import annotations

import pytest
import torch

from realdeg.degradations import BlurDown, FlowKernel
from realdeg.degradations.blur_kinds import KINDS
from realdeg.degradations.estimation import DIPFKP, DIPFKPSettings, KernelGANFKP, fit_dip_fkp
from realdeg.degradations.estimation.dip_fkp import _reduced
from realdeg.degradations.estimation.flow_search import CodeSearch, flow_for
from realdeg.degradations.estimation.kernelgan_fkp import _Run
from realdeg.degradations.estimation.skip_network import SkipNetwork
from realdeg.degradations.primitives import centroid, make_kernel
from realdeg.degradations.primitives.kernels import centre_rest
from realdeg.errors import CheckpointError, ConfigError, GeometryError

TINY = {"type": "FlowKernel", "kernel_size": 5, "hidden": 2, "blocks": 1}


def photo(side=32, seed=0):
    drawn = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, side // 4, side // 4, generator=drawn)
    fine = torch.rand(1, 3, side, side, generator=drawn)
    return 0.7 * coarse.repeat_interleave(4, 2).repeat_interleave(4, 3) + 0.3 * fine


def test_the_code_stays_on_the_sphere():
    flow = flow_for(TINY, 2, "X")
    search = CodeSearch(flow, torch.zeros(1), 0.5, (0.9, 0.999), 3)
    again = CodeSearch(flow, torch.zeros(1), 0.5, (0.9, 0.999), 3)
    assert torch.equal(search.code, again.code) and float(search.code.detach().norm()) == (
        pytest.approx(4)
    )
    before = search.code.detach().clone()
    goal = torch.zeros(5, 5)
    goal[1, 2] = 1
    losses = []
    for _ in range(30):
        loss = (search.kernel() - goal).square().sum()
        losses.append(float(loss.detach()))
        search.zero_grad()
        loss.backward()
        search.step()
        assert float(search.code.detach().norm()) == pytest.approx(4, rel=1e-5)
    assert losses[-1] < losses[0] and not torch.equal(before, search.code.detach())
    assert not any(p.grad is not None for p in flow.parameters())


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_fkp_kernels_explain_aligned_lr(scale):
    """A kernel of FKP's family, mirrored as it is drawn, is that of LR that is aligned with HR."""
    hr = photo(24 * scale)
    trace = BlurDown(scale, kind="FKP").sample(hr, [5])[0]
    drawn = make_kernel(trace.params["kernel"])
    kernel = FlowKernel(scale).aligned(drawn[None].float())[0]
    rest = centre_rest(len(kernel), scale)
    assert centroid(kernel) == pytest.approx((rest, rest), abs=0.06)  # the window cuts it
    family = {**KINDS["FKP"].kernel(scale), "centre": "aligned"}
    aligned = BlurDown(scale, kind="FKP", kernel=family)
    assert aligned.offset == (scale - 1) / 2
    lr = aligned(hr, [5])
    torch.testing.assert_close(_reduced(hr, kernel, scale), lr, atol=1e-5, rtol=0)
    extra = len(kernel) - len(drawn)
    mirrored = torch.nn.functional.pad(drawn.float(), (0, extra, 0, extra))
    for wrong in (mirrored, kernel.roll(1, 0), kernel.roll(-1, 1)):
        assert float((_reduced(hr, wrong, scale) - lr).abs().max()) > 0.01


def test_the_code_of_a_known_kernel_is_found():
    flow = flow_for({**TINY, "hidden": 8, "blocks": 2}, 2, "X")
    hr = photo(32)
    kernel = flow.aligned(flow.kernels(4 * flow.code_of(9)[None] / flow.code_of(9).norm()))[0]
    lr = _reduced(hr, kernel, 2)
    search = CodeSearch(flow, hr, 0.1, (0.9, 0.999), 0)
    start = float((search.kernel() - kernel).detach().abs().sum())
    for _ in range(100):
        search.zero_grad()
        (100 * (_reduced(hr, search.kernel(), 2) - lr).square().mean()).backward()
        search.step()
    assert float((search.kernel() - kernel).detach().abs().sum()) < 0.2 * start


def test_the_kernel_is_frozen_and_then_moves():
    flow, image = flow_for(TINY, 2, "X"), photo(24)
    first = CodeSearch(flow, image, 0.5, (0.9, 0.999), 0).kernel().detach()

    def fit(settings, tick=lambda: False):
        with torch.random.fork_rng():
            return fit_dip_fkp(image, 2, flow, settings, tick)

    kept = fit(DIPFKPSettings(4, 4, 2, width=4, skip=2, levels=2))
    torch.testing.assert_close(kept.kernel, first)
    moving = DIPFKPSettings(12, 2, 4, width=4, skip=2, levels=2)
    moved = fit(moving)
    assert not torch.allclose(moved.kernel, first) and moved.iterations == 12
    assert fit(moving, lambda: True).iterations == 1


def test_the_comparing_layers_begin_as_the_identity():
    torch.manual_seed(0)
    plain = SkipNetwork(3, 3, 4, 2, 3)
    torch.manual_seed(0)
    network = SkipNetwork(3, 3, 4, 2, 3, similar_from=1)
    names = set(network.state_dict()) - set(plain.state_dict())
    assert {name.split(".")[1] for name in names} == {"1", "2"}
    x = torch.rand(1, 4, 6, 8)
    layer = network.levels[1].encoder[1]
    torch.testing.assert_close(layer.eval()(x), x)
    layer.out[1].weight.data.fill_(1.0)
    layer.double()
    x = x.double()
    value, key, query = (part(x)[0] for part in (layer.value, layer.key, layer.query))
    wanted = torch.zeros(2, 6, 8, dtype=torch.float64)
    for row in range(6):
        for column in range(8):
            for at in range(3):
                for to in range(4):
                    block = (slice(None), slice(2 * at, 2 * at + 2), slice(2 * to, 2 * to + 2))
                    share = query[:, row, column] @ key[block].amax((1, 2)) / 12
                    wanted[:, row, column] += share * value[block].amax((1, 2))
    torch.testing.assert_close(layer(x), x + layer.out(wanted[None]))


def test_the_critic_learns_and_the_penalty_is_wgan_gp_s():
    torch.manual_seed(0)
    flow = flow_for(TINY, 2, "X")
    run = _Run(photo(64), flow, 2, 3, 2, 0)
    assert run.small == 30 and len(run.large_crops) == 6
    real, fake = run._crops(run.small_crops[:2], 30), torch.rand(2, 3, 30, 30)
    # A linear critic, whose gradient at each pixel has the length 2: a penalty of 0.1.
    run.critic = torch.nn.Conv2d(3, 1, 1, bias=False)
    run.critic.weight.data[:] = torch.tensor([1.0, 0, 0])[None, :, None, None]
    run.optimiser = torch.optim.SGD(run.critic.parameters(), lr=1.0)
    before = run.critic.weight.detach().clone()
    run._train_critic(real, fake)
    step = before - run.critic.weight.detach()
    # d/dw of mean(fake) - mean(real), by w 2 x - 1; d/dw of 0.1 (2 |w| - 1)^2 is 0.4 w.
    means = 2 * (fake.mean((0, 2, 3)) - real.mean((0, 2, 3)))
    wanted = means + 0.4 * before[0, :, 0, 0]
    torch.testing.assert_close(step[0, :, 0, 0], wanted, atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", [DIPFKP, KernelGANFKP])
def test_without_weights_it_says_where_to_get_them(kind, tmp_path):
    image = photo(64)
    for given in (None, str(tmp_path / "fkp.safetensors")):
        with pytest.raises(ConfigError, match=r"FKP_x2.pt of github.com/JingyunLiang/FKP") as found:
            kind(given).estimate(image, 2)
        assert "convert_weights" in str(found.value) and "fkp/fkp_gaussians_x2" in str(found.value)
    (tmp_path / "FKP_x2.pt").write_bytes(b"x")
    with pytest.raises(ConfigError, match="has to be converted first"):
        kind(str(tmp_path / "FKP_x2.pt")).estimate(image, 2)
    with pytest.raises(ConfigError, match="is a Bicubic, wanted a FlowKernel"):
        kind({"type": "Bicubic"}).estimate(image, 2)
    (tmp_path / "fkp.safetensors").write_bytes(b"x" * 100)
    with pytest.raises(CheckpointError):
        kind(str(tmp_path / "fkp.safetensors")).estimate(image, 2)


@pytest.mark.parametrize("kind", [DIPFKP, KernelGANFKP])
def test_scales_and_sizes_are_checked(kind, tmp_path):
    with pytest.raises(GeometryError, match="2, 3 or 4, got 8"):
        kind(TINY).estimate(photo(64), 8)
    with pytest.raises(GeometryError, match="or more, got 8 x 8"):
        kind(TINY).estimate(photo(8), 2)
    flow = FlowKernel(3, kernel_size=5, hidden=2, blocks=1)
    flow.mark_trained()
    flow.save(tmp_path / "fkp_x3.safetensors")
    with pytest.raises(GeometryError, match="scale=3"):
        kind(str(tmp_path / "fkp_x3.safetensors")).estimate(photo(64), 2)
