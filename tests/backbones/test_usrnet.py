"""USRNet: its steps against slow ones, kernels and their place, published files, training."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from realdeg import convert_weights, create_backbone, degradations
from realdeg.backbones import USRNet, load_weights
from realdeg.degradations.primitives.kernels import centred, gaussian_kernel, motion_kernel
from realdeg.degradations.primitives.reduction_kernels import bicubic_kernel
from realdeg.degradations.primitives.resize import imresize
from realdeg.errors import CheckpointError, ConfigError, GeometryError
from realdeg.tasks import SuperResolution
from realdeg.zero_shot.reductions import reduce
from tests.backbones.judging import decibels, on_meta, parameters, rounded, set5, shapes


def small(**settings) -> USRNet:
    torch.manual_seed(0)
    return USRNet(**dict(USRNet.example_arguments) | settings).eval()


def first_pixels(image, kernel, factor):
    """Convolve an image that repeats itself, and take the first pixel of each block."""
    found = torch.zeros_like(image)
    for i in range(kernel.shape[-2]):
        for j in range(kernel.shape[-1]):
            place = (i - kernel.shape[-2] // 2, j - kernel.shape[-1] // 2)
            found += kernel[i, j] * torch.roll(image, place, (-2, -1))
    return found[..., ::factor, ::factor]


class Slow:
    """The authors' network in float64, written from the paper: one image, dense data steps."""

    def __init__(self, network: USRNet) -> None:
        self.state = {name: value.double() for name, value in network.state_dict().items()}
        self.rounds = network.iterations
        self.blocks = 1

    def __call__(self, lr, kernel, factor, level):
        size = (lr.shape[-2] * factor, lr.shape[-1] * factor)
        count = size[0] * size[1]
        basis = torch.eye(count, dtype=lr.dtype).reshape(count, 1, *size)
        self.matrix = first_pixels(basis, kernel, factor).reshape(count, -1).T
        x = F.interpolate(lr, scale_factor=factor, mode="nearest")
        numbers = torch.tensor([level, factor], dtype=lr.dtype)
        for layer in (0, 2, 4):
            weight, bias = (self.state[f"h.mlp.{layer}.{name}"] for name in ("weight", "bias"))
            numbers = weight[:, :, 0, 0] @ numbers + bias
            numbers = F.softplus(numbers) if layer == 4 else numbers.relu()
        numbers = numbers + 1e-6
        for i in range(self.rounds):
            x = self.data_step(x, lr, numbers[i])
            x = self.prior(x, numbers[self.rounds + i])
        return x

    def data_step(self, z, y, alpha):
        """Solve the normal equations."""
        left = self.matrix.T @ self.matrix + alpha * torch.eye(self.matrix.shape[1]).double()
        right = self.matrix.T @ y[0].flatten(1).T + alpha * z[0].flatten(1).T
        return torch.linalg.solve(left, right).T.reshape(z.shape)

    def prior(self, image, beta):
        height, width = image.shape[-2:]
        x = torch.cat([image, torch.full_like(image[:, :1], float(beta))], 1)
        x = F.pad(x, (0, -width % 8, 0, -height % 8), mode="replicate")
        skips = [F.conv2d(x, self.state["p.m_head.weight"], padding=1)]
        for level in (1, 2, 3):
            x = self.chain(skips[-1], f"p.m_down{level}", 0)
            weight = self.state[f"p.m_down{level}.{self.blocks}.weight"]
            skips.append(F.conv2d(x, weight, stride=2))
        x = self.chain(skips[3], "p.m_body", 0)
        for level in (3, 2, 1):
            weight = self.state[f"p.m_up{level}.0.weight"]
            x = F.conv_transpose2d(x + skips[level], weight, stride=2)
            x = self.chain(x, f"p.m_up{level}", 1)
        x = F.conv2d(x + skips[0], self.state["p.m_tail.weight"], padding=1)
        return x[..., :height, :width]

    def chain(self, x, name, start):
        for i in range(start, start + self.blocks):
            inner = F.conv2d(x, self.state[f"{name}.{i}.res.0.weight"], padding=1).relu()
            x = x + F.conv2d(inner, self.state[f"{name}.{i}.res.2.weight"], padding=1)
        return x


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("side", [4, 5])
def test_against_dense_steps(scale, side):
    """Kernels of the authors' convention, neither symmetric nor odd; HR no multiple of 8."""
    network = small(border="circular", noise=12.0).double()
    kernel = torch.rand(side, side, dtype=torch.float64)
    kernel /= kernel.sum()
    lr = torch.rand(1, 3, 3, 5, dtype=torch.float64)
    wanted = Slow(network)(lr, kernel, scale, 12 / 255)
    told = USRNet.of_first_pixels(kernel, scale)[None, None]
    with torch.no_grad():
        found = network(lr, scale=scale, cond=told)
        code = torch.cat([told.flatten(), torch.tensor([12 / 255]).double()])
        together = small(border="circular").double()(lr, scale=scale, cond=code[None])
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-9)
    torch.testing.assert_close(together, wanted, rtol=0, atol=1e-9)


def test_sizes():
    assert parameters(on_meta(USRNet)) == 17_016_016
    assert parameters(on_meta(USRNet, preset="tiny")) == 590_332
    found = shapes(on_meta(USRNet, preset="tiny"))
    assert found["p.m_head.weight"] == (16, 4, 3, 3)
    assert found["p.m_down3.2.weight"] == (64, 64, 2, 2)
    assert found["p.m_up1.0.weight"] == (32, 16, 2, 2)
    assert found["h.mlp.4.weight"] == (12, 32, 1, 1)


class Identity(torch.nn.Module):
    def forward(self, image, level):
        return image


def inverting(**settings) -> USRNet:
    """A network whose prior believes any image, so that only the data step acts."""
    network = small(**settings).double()
    network.p = Identity()
    torch.nn.init.constant_(network.h.mlp[4].bias, -12.0)
    torch.nn.init.zeros_(network.h.mlp[4].weight)
    return network


class TestKernels:
    @pytest.mark.parametrize("border", ["circular", "extended"])
    @pytest.mark.parametrize("scale", [1, 2, 3, 4])
    def test_the_result_reduces_to_lr(self, scale, border):
        network = inverting(border=border)
        lr = torch.rand(2, 3, 16, 14, dtype=torch.float64)
        kernels = torch.rand(2, 1, 5, 5, dtype=torch.float64)
        kernels /= kernels.sum((-2, -1), keepdim=True)
        with torch.no_grad():
            found = network(lr, scale=scale, cond=kernels)
        for i in range(2):
            again = reduce(found[i : i + 1], (16, 14), kernels[i, 0])
            inner = (..., slice(3, -3), slice(3, -3))
            assert (again - lr[i : i + 1])[inner].abs().max() < 0.02

    @pytest.mark.parametrize("scale", [2, 3, 4])
    @pytest.mark.parametrize("told", ["nothing", "bicubic", "blur"])
    def test_the_result_lies_on_bicubic_enlargement(self, scale, told):
        """A blob keeps its place; half an HR pixel would be seen."""
        side = 12 * scale
        axis = torch.arange(side, dtype=torch.float64) - (side - 1) / 2 + 0.4
        line = torch.exp(-axis.square() / (2 * (1.5 * scale) ** 2))
        hr = (line[:, None] * line)[None, None].expand(1, 3, -1, -1)
        network = inverting(border="circular", scale=scale, kernel_size=25)
        condition = None
        lr = imresize(hr, 1 / scale)
        if told == "bicubic":
            condition = network.condition_of({})[None].double()
        if told == "blur":
            blur = gaussian_kernel(9, 1.1)
            lr = reduce(hr, (12, 12), centred(blur, scale))
            condition = network.condition_of({"kernel": blur})[None].double()
        with torch.no_grad():
            found = network(lr, cond=condition)
        enlarged = imresize(lr, float(scale))

        def place(image):
            mass = image[0, 0].sum(0)
            return float(mass @ axis / mass.sum())

        assert abs(place(found) - place(enlarged)) < 0.05
        shifted = torch.roll(bicubic_kernel(scale), 1, 1)[None, None]
        with torch.no_grad():
            off = network(lr, cond=(shifted + bicubic_kernel(scale)) / 2)
        assert abs(place(off) - place(enlarged)) == pytest.approx(0.5, abs=0.1)

    def test_continuing_the_image_spares_its_borders(self):
        hr = torch.linspace(0, 1, 48, dtype=torch.float64).expand(1, 3, 48, 48)
        lr = imresize(hr, 0.5)
        errors = {}
        for border in ("circular", "extended"):
            with torch.no_grad():
                error = (inverting(border=border)(lr) - hr).abs()
            errors[border] = error[..., 8:-8, -8:].mean()
        assert errors["extended"] < 0.5 * errors["circular"]

    def test_conditions(self):
        network = small(kernel_size=9, scale=2)
        kernel = torch.rand(4, 4)
        kernel /= kernel.sum()
        code = network.condition_of({"reduction": kernel, "kernel": torch.ones(1, 1)})
        assert code.shape == (82,) and code[-1] == 0
        lr = torch.rand(1, 3, 5, 4)
        with torch.no_grad():
            direct = network(lr, cond=kernel[None, None])
            torch.testing.assert_close(network(lr, cond=code[None]), direct, rtol=0, atol=1e-5)
        assert float(network.condition_of({"noise_level": 0.1})[-1]) == pytest.approx(0.1)
        assert float(small(noise=51.0).condition_of({})[-1]) == pytest.approx(0.2)
        nothing = network.condition_of({})
        with torch.no_grad():
            torch.testing.assert_close(
                network(lr, cond=nothing[None]), network(lr), rtol=0, atol=1e-5
            )

    def test_bad_kernels(self):
        network, lr = small(), torch.rand(2, 3, 5, 4)
        for shape in ((2, 9), (3, 1, 3, 3), (2, 2, 3, 3), (1, 1), (2, 1, 3), (9,)):
            with pytest.raises(GeometryError, match="cond is a blur kernel"):
                network(lr, cond=torch.full(shape, 1 / 9))
        for size in ((3, 5), (257, 257)):
            with pytest.raises(GeometryError, match="square kernels of at most 255 x 255"):
                network(lr, cond=torch.full((1, 1, *size), 1 / (size[0] * size[1])))
        for value in (1.0, float("nan")):
            with pytest.raises(GeometryError, match="sums to"):
                network(lr, cond=torch.full((1, 1, 3, 3), value))
        with pytest.raises(GeometryError, match="kernel_size=11 or more"):
            network.condition_of({"reduction": torch.full((11, 11), 1 / 121)})
        with pytest.raises(GeometryError, match="sums to 121.0000: divide it by its sum"):
            network.condition_of({"kernel": torch.ones(11, 11)})

    @pytest.mark.parametrize(
        ("settings", "error", "words"),
        [
            ({"scale": 5}, GeometryError, "scale"),
            ({"preset": "tyni"}, ConfigError, "Did you mean 'tiny'"),
            ({"widths": "4-4-4"}, ConfigError, "four levels, such as '16-32-64-64'"),
            ({"kernel_size": 8}, ConfigError, "odd"),
            ({"noise": 300.0}, ConfigError, "noise"),
            ({"border": "wrap"}, ConfigError, "circular"),
        ],
    )
    def test_refusals(self, settings, error, words):
        with pytest.raises(error, match=words):
            small(**settings)

    def test_an_image_of_one_pixel(self):
        with torch.no_grad():
            assert small()(torch.rand(1, 3, 1, 1), scale=4).shape == (1, 3, 4, 4)
        with pytest.raises(GeometryError, match="serves"):
            small()(torch.rand(1, 3, 4, 4), scale=5)


class TestFiles:
    def test_a_published_file(self, tmp_path):
        network = small()
        torch.save(network.state_dict(), tmp_path / "usrnet_tiny.pth")
        made = convert_weights(tmp_path / "usrnet_tiny.pth", tmp_path / "x.safetensors", "USRNet")
        found = create_backbone(made.path)
        assert found.arguments["widths"] == "4-6-4-4" and found.iterations == 2
        lr = torch.rand(1, 3, 5, 4)
        with torch.no_grad():
            assert torch.equal(found.eval()(lr, scale=2), network(lr))

    def test_others_are_refused(self, tmp_path):
        file = tmp_path / "usrnet.pth"
        torch.save(small(iterations=3).state_dict(), file)
        with pytest.raises(CheckpointError, match="iterations=3 and this network iterations=2"):
            load_weights(small(), file)
        prior = {k[2:]: v for k, v in small().state_dict().items() if k.startswith("p.")}
        torch.save(prior, file)
        with pytest.raises(CheckpointError, match="of DRUNet, a denoiser"):
            load_weights(small(), file)

    def test_published_weights_on_set5(self, packages, real_data):
        network = create_backbone("USRNet", weights=packages("usrnet_tiny.pth"), scale=2).eval()
        assert network.arguments["preset"] == "tiny"
        found = []
        for lr, hr in set5(real_data, 2):
            with torch.no_grad():
                sr = rounded(network(lr))
            luma = torch.tensor([65.481, 128.553, 24.966])[:, None, None] / 255
            pair = ((image * luma).sum(1, keepdim=True) for image in (sr, hr))
            found.append(decibels(*pair, 2))
        assert sum(found) / 5 == pytest.approx(37.39, abs=0.01)


class TestTraining:
    def batch(self, scale=None):
        hr = torch.rand(2, 3, 24, 24, generator=torch.Generator().manual_seed(0))
        found = dict(
            hr=hr,
            lr=None,
            paired=torch.tensor([False, False]),
            seeds=[3, 4],
            key=["a", "b"],
            meta=[{}, {}],
        )
        return found if scale is None else found | {"scale": scale}

    def test_the_network_is_told_what_was_drawn(self):
        network = small(kernel_size=31)
        parts = [{"type": "BlurDown", "kind": "DAN"}, {"type": "AWGN", "sigma": 5}]
        degradation = degradations.Compose(parts, scale=2)
        task = SuperResolution(network, degradation, quantise=False)
        batch = self.batch()
        cond = task.condition(batch)
        assert cond.shape == (2, 962) and not torch.equal(cond[0], cond[1])
        assert cond[:, -1].tolist() == pytest.approx([5 / 255] * 2)
        kernel = cond[0, :-1].view(31, 31)
        wanted = degradation.condition(degradation.sample(batch["hr"], [3, 4])[0])["reduction"]
        reach = (wanted.shape[-1] - 31) // 2
        assert reach <= 0
        torch.testing.assert_close(kernel, F.pad(wanted, (-reach,) * 4))
        sum(task.losses(batch).values()).backward()
        assert all(parameter.grad is not None for parameter in network.parameters())

    @pytest.mark.parametrize("scale", [1, 2, 3, 4])
    def test_several_scales_in_a_run(self, scale):
        kernel = {"shape": "gaussian", "size": 5, "sigma_x": [0.4, 1.0]}
        cfg = {"type": "BlurDown", "kind": "s-fold", "kernel": kernel}
        task = SuperResolution(small(), cfg, scales=[1, 2, 3, 4])
        assert task.output(self.batch(scale)).shape == (2, 3, 24, 24)

    def test_motion(self):
        """A kernel whose centroid is elsewhere is told where it is."""
        kernel = motion_kernel(9, 5.0, 0.4, 0.3)
        code = small(kernel_size=9).condition_of({"reduction": kernel})
        torch.testing.assert_close(code[:-1].view(9, 9), kernel.float())
