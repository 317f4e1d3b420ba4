"""The contracts of degradations and of containers of degradations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from realdeg.degradations import Degradation, Trace
from realdeg.degradations.build import degradation_from_config
from realdeg.degradations.containers import Container
from realdeg.errors import ConfigError, DataError, GeometryError, RealdegError
from realdeg.registry import DEGRADATIONS
from realdeg.testing.alignment import assert_offset
from realdeg.testing.contract import Contract

SEEDS = [11, 2**61 + 7]


def hr_batch(channels: int = 3, height: int = 48, width: int = 36, batch: int = 2) -> Tensor:
    """Return fixed random HR images in [0, 1].

    Args:
        channels: 3 or 1.
        height: In pixels.
        width: In pixels.
        batch: Number of images.

    Shape:
        (batch, channels, height, width)
    """
    generator = torch.Generator().manual_seed(3)
    return torch.rand(batch, channels, height, width, generator=generator)


class DegradationContract(Contract, page="docs/your_own_degradation.md"):
    """What every degradation promises to containers, trainers, `Degrader` and `realdeg degrade`.

    A class method ``example()`` that returns a small instance can replace ``arguments``.
    """

    component: type[Degradation]
    registry = DEGRADATIONS

    displaced: bool = False
    """Whether ``offset`` declares another LR grid than that of a bicubic reduction."""

    @property
    def config(self) -> dict[str, Any]:
        """The component's config: its registered name and the arguments."""
        arguments = dict(self.arguments)
        if not arguments and hasattr(self.component, "example"):
            arguments = dict(self.component.example().arguments)
            del arguments["scale"], arguments["same_size"]
        return {"type": self.component.__name__, **arguments}

    def build(self, scale: int = 2, same_size: bool = False) -> Degradation:
        """Build the component as a config does, ready to be applied.

        Args:
            scale: The scale factor.
            same_size: Whether LR lies on the HR grid.
        """
        return degradation_from_config(self.config, scale, same_size).eval()

    @pytest.mark.parametrize("same_size", [False, True])
    @pytest.mark.parametrize("scale", [2, 3, 4])
    @pytest.mark.parametrize("channels", [1, 3])
    def test_both_geometries_and_colours(self, scale: int, same_size: bool, channels: int) -> None:
        """RGB and Y are degraded at every scale, with LR smaller than HR and on the HR grid.

        LR is finite float32, and the HR batch is not changed.
        """
        degradation = self.build(scale, same_size)
        hr = hr_batch(channels)
        before = hr.clone()
        lr = degradation(hr, SEEDS)
        stride = 1 if same_size else scale
        assert lr.shape == (2, channels, 48 // stride, 36 // stride)
        assert lr.dtype == torch.float32 and torch.isfinite(lr).all()
        assert torch.equal(hr, before)
        if not self.displaced:
            assert degradation.offset == (stride - 1) / 2

    @pytest.mark.parametrize("same_size", [False, True])
    @pytest.mark.parametrize("scale", [2, 3, 4])
    def test_lr_lies_where_offset_says(self, scale: int, same_size: bool) -> None:
        """LR pixel 0 is centred at the HR coordinate that ``offset`` declares, within 0.01 pixels.

        Measured only for deterministic degradations that need no training.
        """
        degradation = self.build(scale, same_size)
        if any(getattr(part, "fitting", None) == "gradient" for part in degradation.modules()):
            pytest.skip(f"{self.component.__name__} has to be trained first")
        probe = degradation(hr_batch(3, 12 * scale, 12 * scale, 1).expand(8, -1, -1, -1), range(8))
        if not torch.equal(probe, probe[:1].expand_as(probe)):
            pytest.skip(f"{self.component.__name__} is random: its own tests measure that")
        stride = degradation.stride
        assert_offset(lambda hr: degradation(hr, [0]), stride, degradation.offset)

    @pytest.mark.parametrize("same_size", [False, True])
    def test_a_trace_written_to_json_replays_to_the_bit(self, same_size: bool) -> None:
        """A trace records every decision: after a round trip through JSON it gives the same LR.

        It has less than 20 kB and can be described in words.
        """
        degradation = self.build(2, same_size)
        hr = hr_batch()
        traces = degradation.sample(hr, SEEDS)
        lr = degradation.replay(hr, traces)
        read = [Trace.from_json(trace.to_json()) for trace in traces]
        assert torch.equal(lr, degradation.replay(hr, read))
        assert torch.equal(lr, degradation(hr, SEEDS))
        assert all(len(trace.to_json()) < 20_000 for trace in traces)
        assert all(trace.in_words() for trace in traces)

    def test_an_image_does_not_depend_on_its_batch(self) -> None:
        """An image gives the same result alone and in a batch."""
        degradation = self.build()
        hr = hr_batch()
        together = degradation(hr, SEEDS)
        alone = degradation(hr[1:], SEEDS[1:])
        torch.testing.assert_close(together[1:], alone, atol=1e-6, rtol=0)

    def test_seeds_come_from_torch_when_none_are_given(self) -> None:
        """Without seeds, randomness comes only from torch's global generator."""
        degradation = self.build()
        hr = hr_batch()
        torch.manual_seed(5)
        first = degradation(hr)
        torch.manual_seed(5)
        assert torch.equal(first, degradation(hr))

    def test_gradient_reaches_hr_where_it_is_promised(self) -> None:
        """LR has a gradient with respect to HR, unless ``differentiable`` is False."""
        degradation = degradation_from_config(self.config, 2, False)
        if not degradation.differentiable:
            pytest.skip(f"{self.component.__name__} declares that it is not differentiable")
        hr = hr_batch().requires_grad_()
        degradation(hr, SEEDS).square().sum().backward()
        assert hr.grad is not None and hr.grad.abs().sum() > 0

    def test_gradient_reaches_every_parameter(self) -> None:
        """With ``fitting = "gradient"`` every parameter gets a gradient."""
        degradation = degradation_from_config(self.config, 2, False)
        if degradation.fitting != "gradient":
            pytest.skip(f"{self.component.__name__} is not learned by gradient descent")
        degradation(hr_batch(), SEEDS).square().sum().backward()
        missing = [name for name, p in degradation.named_parameters() if p.grad is None]
        assert not missing

    def test_the_file_alone_rebuilds_it(self, tmp_path: Path) -> None:
        """Constructor arguments are plain values, so a saved file rebuilds the object.

        Weights of one geometry are refused at another; those of any are built for it.
        """
        degradation = self.build(2, True)
        path = tmp_path / "degradation.safetensors"
        digest = degradation.save(path, {"note": "x"})
        again = degradation_from_config(str(path))
        assert again.is_trained and (again.scale, again.same_size) == (2, True)
        hr = hr_batch()
        assert torch.equal(degradation(hr, SEEDS), again(hr, SEEDS))
        assert degradation.hash() == again.hash() == digest
        if not degradation.fixed_geometry:
            other = degradation_from_config(str(path), scale=4, same_size=False)
            assert (other.scale, other.same_size, other.is_trained) == (4, False, True)
            weights = other.state_dict().items()
            assert all(torch.equal(v, degradation.state_dict()[name]) for name, v in weights)
            return
        with pytest.raises(GeometryError, match="scale=2"):
            degradation_from_config(str(path), scale=4)

    def test_state_dict_round_trip(self) -> None:
        """The state dict holds everything that was learned."""
        degradation, other = self.build(2, True), self.build(2, True)
        other.load_state_dict(degradation.state_dict())
        hr = hr_batch()
        assert torch.equal(degradation(hr, SEEDS), other(hr, SEEDS))

    def test_it_is_built_anew_for_schedules(self) -> None:
        """Its arguments rebuild it, with shared parts, unless it learned weights itself."""
        degradation = self.build(2, True)
        if degradation.fitting is not None:
            with pytest.raises(ConfigError, match="learned weights"):
                degradation.changed({})
            return
        again, hr = degradation.changed({}), hr_batch()
        assert again is not degradation and again.hash() == degradation.hash()
        assert torch.equal(again(hr, SEEDS), degradation(hr, SEEDS))

    def test_bad_input_is_named(self) -> None:
        """Invalid images and traces are refused with a clear message."""
        degradation = degradation_from_config(self.config, 4, False)
        with pytest.raises(GeometryError, match="not divisible by 4"):
            degradation(hr_batch(height=46), SEEDS)
        with pytest.raises(DataError, match="C = 1 or 3"):
            degradation.sample(hr_batch(channels=4), SEEDS)
        with pytest.raises(DataError, match="3 seeds"):
            degradation.sample(hr_batch(), [1, 2, 3])
        traces = degradation.sample(hr_batch(), SEEDS)
        with pytest.raises(DataError, match="traces were given"):
            degradation.replay(hr_batch(), traces[:1])
        with pytest.raises(DataError, match="cannot be replayed"):
            degradation.replay(hr_batch(), [Trace("Stranger", {}, trace.size) for trace in traces])
        with pytest.raises(DataError, match="pixels cannot be replayed"):
            degradation.replay(hr_batch(height=24), traces)
        with pytest.raises(RealdegError, match="scale is 0, wanted"):
            degradation_from_config(self.config, 0, False)

    def test_numbers_of_another_range_are_named(self) -> None:
        """8-bit values and NaN are refused; a small overshoot from interpolation is not."""
        degradation = degradation_from_config(self.config, 4, False)
        image = hr_batch(3, 48, 48, 1)
        with pytest.raises(DataError, match=r"floating-point images in .0, 1., got torch.uint8"):
            degradation((image * 255).byte(), [1])
        with pytest.raises(DataError, match=r"found values from 0.*: divide by 255"):
            degradation(image * 255, [1])
        broken = image.clone()
        broken[0, 0, 3, 3] = float("nan")
        with pytest.raises(DataError, match="NaN"):
            degradation(broken, [1])
        assert degradation(image * 1.2 - 0.1, [1]).isfinite().all()

    def test_empty_batch(self) -> None:
        """An empty batch gives an empty batch."""
        assert self.build()(hr_batch()[:0], []).shape == (0, 3, 24, 18)


class ContainerContract(DegradationContract, page="docs/your_own_degradation.md"):
    """What every container promises in addition to the contract of degradations.

    ``arguments`` name its parts.
    """

    component: type[Container]

    def container(self) -> Container:
        """Build the container at x2."""
        built = self.build()
        assert isinstance(built, Container)
        return built

    def test_parts_are_applied_as_the_trace_says(self) -> None:
        """A trace contains the traces of the applied parts, in order."""
        container = self.container()
        hr, seeds = hr_batch(batch=6), list(range(6))
        lr = container(hr, seeds)
        for index, trace in enumerate(container.sample(hr, seeds)):
            assert trace.type == self.component.__name__
            steps = container.steps(container.read(trace))
            assert len(steps) == len(trace.parts)
            image = hr[index : index + 1]
            for (_, part), its_trace in zip(steps, trace.parts, strict=True):
                assert its_trace.type == type(part).__name__
                image = part.replay(image, [its_trace])
            torch.testing.assert_close(lr[index : index + 1], image, atol=1e-6, rtol=0)

    def test_a_decision_follows_from_the_seed(self) -> None:
        """A decision is hashable, depends only on the seed, and is recovered from the trace."""
        container = self.container()
        size = (3, 48, 36)
        for seed in range(32):
            decision = container.decide(seed)
            assert decision == container.decide(seed) and {decision}
            assert container.read(container.sample_one(size, seed)) == decision

    def test_an_invalid_trace_is_refused(self) -> None:
        """A trace may come from anywhere: an invalid decision is refused with a clear message."""
        container = self.container()
        hr = hr_batch(batch=1)
        trace = container.sample(hr, [0])[0]
        for name in container.note(container.decide(0)):
            others = {key: value for key, value in trace.params.items() if key != name}
            faults = (None, "no such decision", {"0": 1}, [[0], 1], 10**30)
            for params in (others, *({**others, name: fault} for fault in faults)):
                with pytest.raises(DataError) as caught:
                    container.replay(hr, [Trace(trace.type, params, trace.size, trace.parts)])
                assert len(str(caught.value)) < 200
        if trace.parts:
            without = Trace(trace.type, trace.params, trace.size, ())
            with pytest.raises(DataError, match="0 parts"):
                container.replay(hr, [without])
            with pytest.raises(DataError, match="0 parts"):
                container.condition(without)

    def test_parts_decide_what_it_is(self) -> None:
        """Arguments list the parts; differentiability, colour and training state follow them."""
        container = self.container()
        parts = container.members()
        if "parts" in container.arguments:
            spelled_out = [{"type": type(part).__name__, **part.arguments} for part in parts]
            assert all(part in spelled_out for part in container.arguments["parts"])
        assert container.differentiable == all(part.differentiable for part in parts)
        assert container.needs_rgb == any(part.needs_rgb for part in parts)
        assert container.is_trained == all(part.is_trained for part in parts)
        assert container.describe()

    def test_invalid_parts_are_refused(self) -> None:
        """An empty list of parts and unknown parts are refused when it is built."""
        if "parts" not in self.config:
            pytest.skip(f"{self.component.__name__} takes no list of parts")
        for parts in ([], [{"type": "NoSuchDegradation"}]):
            with pytest.raises(ConfigError):
                degradation_from_config({**self.config, "parts": parts}, 2, False)
