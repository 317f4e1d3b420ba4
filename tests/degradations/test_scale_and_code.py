"""DML with the scale as a condition, and DML with a random code for each image."""

import pytest
import torch

from realdeg.degradations import DML, SampleCamera, ScaleDML, Trace
from realdeg.degradations.build import degradation_from_config
from realdeg.degradations.primitives import gaussian_kernel
from realdeg.errors import ConfigError, DataError, GeometryError
from realdeg.evaluation.kernel_error import covariance
from realdeg.ops import kernel_apply
from realdeg.tasks import DegradationLearning

SMALL = dict(num_kernels=3, width=4, levels=1)


def scaled(scale=4, same_size=False, **options):
    torch.manual_seed(0)
    return ScaleDML(scale, same_size, **SMALL, **options).eval().requires_grad_(False)


class TestScaleDML:
    @pytest.mark.parametrize("same_size", [False, True])
    @pytest.mark.parametrize("scale", [1, 1.5, 2, 2.5, 3, 4])
    def test_lr_lies_where_offset_says_at_every_scale(self, scale, same_size):
        degradation = scaled(scale, same_size)
        ramp = torch.arange(60.0) / 60
        for hr in (ramp.expand(1, 1, 60, 60), ramp[:, None].expand(1, 1, 60, 60)):
            lr = degradation(hr, [0])[0, 0]
            line = lr[len(lr) // 2] if hr[0, 0, 0, 1] else lr[:, lr.shape[1] // 2]
            stride = degradation.stride
            expected = (torch.arange(len(line)) * stride + degradation.offset) / 60
            inner = slice(degradation.border, -degradation.border)
            torch.testing.assert_close(line[inner], expected[inner], atol=2e-5, rtol=0)

    def test_kernels_stretch_with_the_scale_and_keep_their_sum(self):
        degradation = scaled(kernel_size=21, largest_scale=4)
        widths = []
        for scale in (2, 3, 4):
            bases = degradation.at_scale(scale).effective_bases().double()
            torch.testing.assert_close(bases.sum((1, 2)), torch.ones(3).double())
            # What lies between taps is shared by two of them, which widens a little.
            widths.append(covariance(bases)[-1].diagonal().mean().sqrt())
        assert float(widths[0] / widths[2]) == pytest.approx(0.5, abs=0.02)
        assert float(widths[1] / widths[2]) == pytest.approx(0.75, abs=0.02)

    def test_one_set_of_weights_serves_all_scales(self, tmp_path):
        degradation = scaled()
        other = degradation.at_scale(3)
        assert other.bases is degradation.bases and other.network is degradation.network
        assert (other.scale, degradation.scale, other.arguments["scale"]) == (3, 4, 3)
        degradation.mark_trained()
        degradation.save(tmp_path / "a.safetensors")
        read = degradation_from_config(str(tmp_path / "a.safetensors"), scale=2.5, same_size=True)
        hr = torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(0))
        same = scaled(2.5, True)
        torch.testing.assert_close(read(hr, [0]), same(hr, [0]))
        with pytest.raises(GeometryError, match="from 1 to 4, not 5"):
            degradation.at_scale(5)
        with pytest.raises(GeometryError, match="scale 5 is above largest_scale=4"):
            ScaleDML(5)

    def test_lr_between_whole_scales_is_between_theirs(self):
        generator = torch.Generator().manual_seed(0)
        hr = torch.rand(1, 3, 60, 60, generator=generator)
        spread = [float(scaled(s, True)(hr, [0])[..., 9:-9, 9:-9].std()) for s in (2, 2.5, 3)]
        assert spread[0] > spread[1] > spread[2]

    def test_a_task_draws_scales_for_it(self):
        task = DegradationLearning(dict(type="ScaleDML", scale=4, **SMALL), scales=[2, 4])
        camera = SampleCamera(2, noise=False)
        hr = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
        batch = dict(
            hr=hr,
            lr=camera(hr, [0, 1]),
            paired=torch.ones(2, dtype=torch.bool),
            key=["a", "b"],
            meta=[{}, {}],
            seeds=[0, 1],
            scale=2,
        )
        loss = task.losses(batch)["loss"]
        loss.backward()
        assert all(parameter.grad is not None for parameter in task.parameters())
        with pytest.raises(ConfigError, match="learned at one scale.*ScaleDML"):
            DegradationLearning("DML", scales=[2, 4])

    def test_kernels_of_windows_between_pixels_are_not_stated(self):
        hr = torch.rand(1, 3, 50, 50)
        assert scaled(2.5, True).kernels_at(hr, [(3, 3)]).shape == (1, 11, 11)
        with pytest.raises(NotImplementedError, match="scale 2.5"):
            scaled(2.5).kernels_at(hr, [(3, 3)])


CODED = dict(scale=2, kernel_size=7, latent=3, **SMALL)


class TestCode:
    def made(self):
        torch.manual_seed(0)
        return DML(**CODED).eval().requires_grad_(False)

    def test_the_seed_decides_and_the_trace_repeats_it(self):
        dml, hr = self.made(), torch.rand(2, 3, 32, 32)
        hr[1] = hr[0]
        traces = dml.sample(hr, [1, 2])
        lr = dml.replay(hr, [Trace.from_json(trace.to_json()) for trace in traces])
        assert torch.equal(lr, dml(hr, [1, 2]))
        assert not torch.allclose(lr[0], lr[1], atol=1e-5)
        assert torch.equal(dml(hr, [5, 5])[0], dml(hr, [5, 5])[1])
        torch.manual_seed(3)
        first = dml(hr)
        torch.manual_seed(3)
        assert torch.equal(first, dml(hr))

    def test_bad_traces_and_arguments_are_named(self):
        dml, hr = self.made(), torch.rand(1, 3, 32, 32)
        (trace,) = dml.sample(hr, [1])
        params = {**trace.params, "code_seed": -1}
        with pytest.raises(DataError, match="code_seed"):
            dml.replay(hr, [Trace(trace.type, params, trace.size)])
        with pytest.raises(ConfigError, match="latent"):
            DML(latent=-1)

    def test_codes_learn_what_differs_between_images_of_one_kind(self):
        """Three blurs, drawn per image: LR of one HR image then spreads over them."""
        torch.manual_seed(1)  # from one start in four so small a field dies
        task = DegradationLearning(
            dict(
                type="DML", scale=1, same_size=True, num_kernels=3, kernel_size=7, width=8,
                levels=0, latent=1, activation="softmax", init="gaussian_bank", renormalise=True,
            )
        )  # fmt: skip
        optimiser = torch.optim.Adam(task.parameters(), 3e-3)
        generator = torch.Generator().manual_seed(1)
        blurs = torch.stack([gaussian_kernel(7, s).float() for s in (0.5, 0.9, 1.8)])

        def blurred(hr, which):
            ones = torch.ones(len(hr), 1, *hr.shape[2:])
            return kernel_apply(hr, ones, blurs[which][:, None])

        for _ in range(250):
            hr = torch.rand(6, 3, 20, 20, generator=generator)
            which = torch.randint(3, (6,), generator=generator)
            seeds = torch.randint(2**40, (6,), generator=generator).tolist()
            pairs = dict(hr=hr, lr=blurred(hr, which), paired=torch.ones(6, dtype=torch.bool))
            losses = task.losses({**pairs, "key": ["a"] * 6, "meta": [{}] * 6, "seeds": seeds})
            assert set(losses) == {"loss", "loss_code"}
            optimiser.zero_grad()
            (losses["loss"] + losses["loss_code"]).backward()
            optimiser.step()
        dml = task.degradation.eval().requires_grad_(False)
        drawn = dml(hr[:1].expand(48, -1, -1, -1), range(48)).std((1, 2, 3))
        true = [float(blurred(hr[:1], torch.tensor([i])).std()) for i in range(3)]
        assert float(drawn.max() - drawn.min()) > 0.5 * (true[0] - true[2])
        code, _ = dml.reader(hr.mean(1, keepdim=True), blurred(hr, which).mean(1, keepdim=True))
        means = [float(code[which == i].mean()) for i in range(3) if bool((which == i).any())]
        assert means in (sorted(means), sorted(means, reverse=True))
