"""The flow of kernels: its mathematics, its kernels' place, and published weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from realdeg import create_degradation
from realdeg.backbones import read_weights
from realdeg.cli.main import main
from realdeg.degradations import FlowKernel
from realdeg.degradations.primitives import centroid, gaussian_kernel_from_variance
from realdeg.errors import CheckpointError, DataError, GeometryError
from realdeg.testing.alignment import assert_offset
from realdeg.utils.files import sha256_file


def some_flow(scale=2, size=5, seed=0, **more) -> FlowKernel:
    """A flow with weights at random, as after a training."""
    torch.manual_seed(seed)
    flow = FlowKernel(scale, kernel_size=size, hidden=6, blocks=3, layers=2, **more).eval()
    for name, value in flow.state_dict().items():
        drawn = torch.rand(value.shape) + 0.5 if "running_var" in name else torch.randn(value.shape)
        value.copy_(drawn if "running_var" in name else 0.3 * drawn)
    return flow


def fixed_flow(kernel, scale=2, **more) -> FlowKernel:
    """A flow that makes the same kernel of every code."""
    flow = FlowKernel(scale, kernel_size=len(kernel), hidden=2, blocks=1, peak=1.0, **more).eval()
    weights = (kernel / kernel.max() * 0.9).clamp(min=1e-9).double().flatten()
    state = flow.flow.net[1]
    with torch.no_grad():
        for part in flow.parameters():
            part.zero_()
        state.log_gamma.fill_(30)
        state.running_mean.copy_(torch.logit(weights))
    return flow


def reference(flow, kernels):
    """Likelihood in NumPy's float64, written from the paper and the program's description."""
    names = {k: v.double().numpy() for k, v in flow.state_dict().items()}

    def network(x, at, bend):
        for number in (0, 2, 4, 6):
            x = x @ names[f"{at}.{number}.weight"].T + names[f"{at}.{number}.bias"]
            x = bend(x) if number < 6 else x
        return x

    x = 1e-6 + (1 - 2e-6) * (
        kernels.double().numpy().reshape(len(kernels), -1) / flow.peak + 1 / 1440
    )
    x = np.log(x / (1 - x))
    total = np.zeros(len(x))
    for block in range(3):
        mask = (np.arange(x.shape[1]) + block) % 2
        scale = network(x * mask, f"flow.net.{2 * block}.s_net", np.tanh)
        shift = network(x * mask, f"flow.net.{2 * block}.t_net", lambda y: np.maximum(y, 0))
        x = np.where(mask == 1, x, (x - shift) * np.exp(-scale))
        total -= np.where(mask == 1, 0, scale).sum(1)
        at = f"flow.net.{2 * block + 1}."
        variance = names[at + "running_var"] + 1e-5
        x = (x - names[at + "running_mean"]) / np.sqrt(variance)
        x = np.exp(names[at + "log_gamma"]) * x + names[at + "beta"]
        total += (names[at + "log_gamma"] - np.log(variance) / 2).sum()
    return total - 0.5 * (x**2).sum(1) - 0.5 * x.shape[1] * math.log(2 * math.pi), x


def kernels_at_random(count=4, size=5):
    kernels = torch.rand(count, 1, size, size, generator=torch.Generator().manual_seed(3))
    return kernels / kernels.sum((2, 3), keepdim=True)


def test_likelihood_and_codes_in_float64():
    flow = some_flow().double()
    kernels = kernels_at_random().double()
    wanted, codes = reference(flow, kernels)
    np.testing.assert_allclose(flow.log_likelihood(kernels).detach().numpy(), wanted, rtol=1e-10)
    # The codes lead back to the kernels, with the noise's mean that was added.
    made = flow.raw_kernels(torch.from_numpy(codes)).detach()
    torch.testing.assert_close(made, kernels[:, 0] + flow.peak / 1440, atol=1e-10, rtol=0)
    shares = flow.kernels(torch.from_numpy(codes))
    torch.testing.assert_close(shares, made / made.sum((1, 2), keepdim=True))


@pytest.mark.parametrize("training", [False, True])
def test_the_determinant_is_the_maps(training):
    flow = some_flow(size=3).double().flow
    item = torch.randn(2, 9, dtype=torch.float64)
    if training:
        flow.train()
        # Statistics of the batch, of which each item is a part: only the sum is comparable when
        # they are held.
        code, determinant = flow(item)
        mean, spread = code.mean(0), code.std(0)
        torch.testing.assert_close(mean, flow.net[-1].beta)
        torch.testing.assert_close(spread, flow.net[-1].log_gamma.exp(), rtol=1e-3, atol=0)
        return
    jacobian = torch.autograd.functional.jacobian(lambda x: flow(x[None])[0][0], item[1])
    torch.testing.assert_close(flow(item)[1][1], torch.linalg.slogdet(jacobian)[1])


def test_running_statistics_follow_batches():
    flow = some_flow(size=3)
    first = flow.flow.net[1]
    before = first.running_mean.clone(), first.running_var.clone()
    item = torch.randn(6, 9)
    seen = flow.flow.net[0](item)[0]
    flow.flow.train()(item)
    torch.testing.assert_close(first.running_mean, 0.9 * before[0] + 0.1 * seen.mean(0))
    torch.testing.assert_close(first.running_var, 0.9 * before[1] + 0.1 * seen.var(0))


def test_noise_depends_on_the_seeds():
    flow, kernels = some_flow(), kernels_at_random(2)
    one, same, other = (flow.log_likelihood(kernels, seeds) for seeds in ([1, 2], [1, 2], [1, 3]))
    assert torch.equal(one, same) and one[0] == other[0] and one[1] != other[1]


@pytest.mark.parametrize(("scale", "peak"), [(2, 0.2335), (3, 0.31311), (4, 0.16908)])
def test_published_sizes(scale, peak):
    """The peaks are those in the authors' files."""
    flow = FlowKernel(scale)
    assert flow.kernel_size == 4 * scale + 3 and flow.peak == pytest.approx(peak, abs=1e-7)
    assert flow.flow.net[0].s_net[0].weight.shape == (5 * scale + 5, (4 * scale + 3) ** 2)
    assert FlowKernel(8).kernel_size == 21 and FlowKernel(8).arguments["hidden"] is None


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_fkp_kernels_give_lr_beside_no_other(scale):
    """A kernel centred as FKP's: LR lies where bicubic's does, not mirrored, not shifted."""
    centre = (-(scale - 1) / 2,) * 2
    kernel = gaussian_kernel_from_variance(4 * scale + 3, 2.0, 0.8, 0.4, centre)
    flow = fixed_flow(kernel, scale, padding="replicate")
    assert_offset(lambda hr: flow(hr, [0] * len(hr)), scale, flow.offset)
    assert flow.offset == (scale - 1) / 2


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_lr_is_that_of_the_turned_kernel(scale):
    """Pixel by pixel, by another rule: the sum over HR around pixel s i, borders joined."""
    kernel = torch.rand(7, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    flow = fixed_flow(kernel, scale).double()
    hr = torch.rand(1, 1, 24, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    wanted = torch.zeros(24 // scale, 24 // scale, dtype=torch.float64)
    turned = (kernel / kernel.sum()).rot90(2)
    for row in range(7):
        for column in range(7):
            moved = hr[0, 0].roll((3 - row, 3 - column), (0, 1))
            wanted += turned[row, column] * moved[::scale, ::scale]
    torch.testing.assert_close(flow(hr, [0])[0, 0], wanted, atol=1e-6, rtol=0)


def test_kernels_centred_on_the_pixels_stay():
    kernel = torch.rand(6 + 1, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    flow = fixed_flow(kernel, 2, mirrored=False)
    trace = flow.sample_one((3, 8, 8), 0)
    found = flow.condition(trace)["kernel"]
    torch.testing.assert_close(found.double(), kernel / kernel.sum(), atol=1e-5, rtol=0)
    turned = fixed_flow(kernel, 2).condition(fixed_flow(kernel, 2).sample_one((3, 8, 8), 0))
    assert centroid(turned["kernel"])[0] == pytest.approx(-centroid(found)[0], abs=1e-5)


@pytest.fixture
def published(tmp_path):
    """A file as the authors' are, of random weights."""
    flow = some_flow(2, 11)
    state = {k.removeprefix("flow."): v for k, v in flow.state_dict().items()}
    for block in range(3):
        state[f"net.{2 * block}.mask"] = flow.flow.net[2 * block].mask.clone()
    numbers = {"kernel_size": 11.0, "alpha": 1e-6, "normalization": 0.2335}
    state |= {name: torch.tensor([value]) for name, value in numbers.items()}
    state |= {"base_dist_mean": torch.zeros(121), "base_dist_var": torch.ones(121)}
    torch.save({"model_state": state}, tmp_path / "FKP_x2.pt")
    return tmp_path / "FKP_x2.pt", flow, state


def convert(*words) -> int:
    return main(["convert_weights", *map(str, words)])


def test_published_files_are_converted(published, tmp_path, capsys):
    path, flow, _ = published
    target = tmp_path / "fkp.safetensors"
    assert convert(path, target, "--degradation", "FlowKernel", "--source", "x/y") == 0
    assert "FlowKernel" in capsys.readouterr().out
    again = create_degradation(target, scale=2, same_size=False)
    assert again.is_trained and (again.peak, again.alpha) == (0.2335, 1e-6)
    code = torch.randn(2, 121)
    assert torch.equal(again.raw_kernels(code), flow.raw_kernels(code))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kernel_size": None}, "does not hold FKP's tensors"),
        ({"base_dist_var": torch.full((121,), 2.0)}, "other masks, sizes or base"),
        ({"net.2.mask": torch.ones(121)}, "other masks, sizes or base"),
        ({"net.5.beta": None}, "missing flow.net.5.beta"),
    ],
)
def test_other_files_are_refused(published, tmp_path, change, said):
    _, _, state = published
    state = {k: change.get(k, v) for k, v in state.items() if change.get(k, v) is not None}
    with pytest.raises(CheckpointError, match=said):
        FlowKernel.from_published(state, "x.pt", {})


def test_mistakes(published, tmp_path, capsys):
    path, flow, state = published
    target = tmp_path / "x.safetensors"
    for words, said in (
        (("--degradation", "FlowKernel", "--backbone", "VDSR"), "name the network"),
        (
            ("--degradation", "DML"),
            "no published weights of DML are known: choose one of FlowKernel",
        ),
        (("--degradation", "FlowKernel", "--partial"), "leave them out"),
        (("--degradation", "FlowKernel", "--arguments", "kernel_size=13"), "has kernel_size=11"),
        ((), "needs the network"),
    ):
        assert convert(path, target, *words) == 2
        assert said in capsys.readouterr().err
    with pytest.raises(GeometryError, match="takes kernels"):
        flow.log_likelihood(torch.rand(2, 1, 9, 9))
    with pytest.raises(DataError, match="peak of"):
        flow.log_likelihood(torch.full((2, 1, 11, 11), 0.3))
    with pytest.raises(DataError, match="1 seeds were given for 2"):
        flow.log_likelihood(torch.zeros(2, 1, 11, 11), [1])
    with pytest.raises(GeometryError, match="too small for the circular padding"):
        flow(torch.rand(1, 3, 4, 4), [1])


# By scale: the file's SHA-256; the mean log-likelihood of the 20 kernels below, the sums and the
# greatest weights of the samples of codes 0 and 1, as the authors' program (127c121) gives them.
PUBLISHED = {
    2: (
        "6e361944816c35b8e8ed62772b3bad37c3fbaf2f1cb3976ffbcbe64789b3d794",
        *(37.04795, [1.018065, 1.02435], [0.054697, 0.054896]),
    ),
    3: (
        "6b06812400da0bd90e2584fac98031261001907c11a51be3b4692e2fd1bae27d",
        *(68.945747, [1.074756, 0.999792], [0.027878, 0.058863]),
    ),
    4: (
        "ec52371cba7a8bdad6e1ac21cce9a55773cbb3356de29bf001353fac338a268e",
        *(101.608444, [1.01248, 1.022842], [0.021648, 0.027028]),
    ),
}


@pytest.mark.parametrize("scale", PUBLISHED)
def test_published_weights_give_the_programs_numbers(real_data, scale):
    file = real_data / "weights" / f"FKP_x{scale}.pt"
    if not file.is_file():
        pytest.skip(f"{file} is not there")
    digest, likelihood, sums, peaks = PUBLISHED[scale]
    assert sha256_file(file) == digest
    flow = FlowKernel.from_published(read_weights(file), str(file), {})
    rng, side = np.random.default_rng(7), 4 * scale + 3
    most, centre = min(2.5 * scale, 10), (-(scale - 1) / 2,) * 2
    kernels = torch.stack(
        [
            gaussian_kernel_from_variance(
                *(side, *rng.uniform(0.175 * scale, most, 2)), rng.uniform(0, np.pi), centre
            )
            for _ in range(20)
        ]
    )
    with torch.no_grad():
        found = flow.log_likelihood(kernels[:, None].float()).mean()
        samples = flow.raw_kernels(torch.stack([flow.code_of(seed) for seed in (0, 1)]))
    assert float(found) == pytest.approx(likelihood, abs=1e-3)
    assert samples.sum((1, 2)).tolist() == pytest.approx(sums, abs=1e-5)
    assert samples.amax((1, 2)).tolist() == pytest.approx(peaks, abs=1e-5)
