"""The contract of methods that learn from the image that they enlarge."""

from __future__ import annotations

import json
import logging

import pytest
import torch

from realdeg.errors import GeometryError, MemoryShortageError
from realdeg.registry import ZERO_SHOT
from realdeg.testing.backbones import images
from realdeg.testing.contract import Contract
from realdeg.zero_shot import ZeroShot


class ZeroShotContract(Contract, page="docs/zero_shot.md"):
    """What every method that trains on the image promises to tasks and resolvers.

    Without ``arguments`` the method under test is the class's own ``example()``, which must be
    tiny: three iterations or so.
    """

    component: type[ZeroShot]
    registry = ZERO_SHOT

    @pytest.fixture
    def method(self) -> ZeroShot:
        """The method under test, in evaluation mode."""
        if self.arguments:
            return self.component(**self.arguments).eval()
        return self.component.example().eval()

    def _again(self, method: ZeroShot, **changes: object) -> ZeroShot:
        return type(method)(**{**method.arguments, **changes}).eval()

    def test_metadata(self, method: ZeroShot) -> None:
        """The metadata are those of a method without weights, and its source is named."""
        assert method.zero_shot and method.whole_image and method.brings_weights
        assert not method.state_dict() and not list(method.parameters())
        assert method.smallest >= 1 and method.most_iterations >= 1
        assert "Source:" in (type(method).__doc__ or ""), "the docstring names no source"

    def test_arguments_rebuild_it(self, method: ZeroShot) -> None:
        """Constructor arguments are plain values, and rebuild a method with the same results."""
        arguments = json.loads(json.dumps(method.arguments))
        assert arguments == method.arguments
        lr = images(method, 1, *self._size(method))
        assert torch.equal(type(method)(**arguments).eval()(lr), method(lr))

    def test_size_in_any_scale(self, method: ZeroShot) -> None:
        """Any height and width from the smallest on works, at scales 2, 3 and 4."""
        for scale in (2, 3, 4):
            other = self._again(method, scale=scale)
            height, width = other.smallest, other.smallest + 3
            made = other(images(other, 1, height, width))
            assert made.shape == (1, other.channels, scale * height, scale * width)
            assert made.isfinite().all()

    def test_it_trains_without_gradients_of_the_caller(self, method: ZeroShot) -> None:
        """It trains below ``no_grad`` and ``inference_mode``, as tests and resolvers call it."""
        lr = images(method, 1, *self._size(method))
        wanted = method(lr)
        assert not wanted.requires_grad
        with torch.no_grad():
            assert torch.equal(method(lr), wanted)
        with torch.inference_mode():
            assert torch.equal(method(lr.clone()), wanted)
        assert method.trainings[0].iterations >= 1

    def test_it_learns_more_with_more_iterations(self, method: ZeroShot) -> None:
        """Another number of iterations gives another image: the training has an effect."""
        longer = self._again(method, iterations=method.most_iterations + 2)
        lr = images(method, 1, *self._size(method))
        assert not torch.equal(longer(lr), method(lr))

    def test_seeds(self, method: ZeroShot) -> None:
        """A seed determines the result, and the caller's random state has no part in it."""
        lr = images(method, 1, *self._size(method))
        torch.manual_seed(1)
        state = torch.get_rng_state()
        first = method(lr)
        assert torch.equal(torch.get_rng_state(), state)
        torch.manual_seed(2)
        assert torch.equal(method(lr), first)
        assert not torch.equal(self._again(method, seed=1)(lr), first)

    def test_images_are_independent(self, method: ZeroShot) -> None:
        """An image gives the same result alone and in a batch, and is not changed."""
        lr = images(method, 2, *self._size(method))
        before = lr.clone()
        together = method(lr)
        assert len(method.trainings) == 2
        assert torch.equal(together[1:], method(lr[1:]))
        assert torch.equal(lr, before)
        assert method(lr[:0]).shape == (0, *together.shape[1:])

    def test_double_precision(self, method: ZeroShot) -> None:
        """float64 in gives float64 out."""
        assert method(images(method, 1, *self._size(method)).double()).dtype == torch.float64

    def test_small_images_are_refused(self, method: ZeroShot) -> None:
        """An image below the smallest size is refused with a message that names it."""
        lr = images(method, 1, method.smallest, method.smallest)
        with pytest.raises(GeometryError, match=f"{type(method).__name__} .*{method.smallest} x"):
            method(lr[..., :-1, :])

    @pytest.mark.parametrize(
        "kernel, problem",
        [
            (torch.full((1, 1, 3, 3), 1.0), "sum 9"),
            (torch.full((1, 1, 3, 3), torch.nan), "sum nan"),
            (torch.full((1, 1, 3, 5), 1 / 15), "square"),
            (torch.full((1, 1, 999, 999), 999.0**-2), "larger than the image"),
            (torch.full((3, 3), 1 / 9), "blur kernel"),
        ],
    )
    def test_kernels_are_checked(
        self, method: ZeroShot, kernel: torch.Tensor, problem: str
    ) -> None:
        """A kernel of the wrong shape, size or sum is refused before the training."""
        with pytest.raises(GeometryError, match=problem):
            method(images(method, 1, *self._size(method)), cond=kernel)

    def test_a_kernel_changes_the_result(self, method: ZeroShot) -> None:
        """The kernel of a call is used."""
        lr = images(method, 1, *self._size(method))
        side = 2 * method.scale + 1
        kernel = torch.full((1, 1, side, side), 1.0 / side**2)
        assert not torch.equal(method(lr, cond=kernel), method(lr))

    def test_time_budget(self, method: ZeroShot, caplog: pytest.LogCaptureFixture) -> None:
        """A time budget ends the training, a warning states it, and there is a result."""
        hurried = self._again(method, seconds=1e-6)
        with caplog.at_level(logging.WARNING, logger="realdeg"):
            made = hurried(images(method, 1, *self._size(method)))
        (training,) = hurried.trainings
        assert training.ended == "time" and training.iterations < method.most_iterations
        assert made.isfinite().all() and made.min() >= 0 and made.max() <= 1
        assert f"time budget of 1e-06 s was used up after {training.iterations}" in caplog.text

    def test_memory_budget(self, method: ZeroShot) -> None:
        """An image beyond the memory budget is refused before the training."""
        height, width = self._size(method)
        assert method.bytes_needed(4 * height, width) > method.bytes_needed(height, width) > 0
        poor = self._again(method, memory=1e-4)
        with pytest.raises(MemoryShortageError, match=f"{height} x {width}.*budget .*tiles"):
            poor(images(method, 1, height, width))

    def test_progress(self, method: ZeroShot) -> None:
        """Every iteration is reported while a block asks for it."""
        seen: list[tuple[int, int]] = []
        lr = images(method, 1, *self._size(method))
        with method.reporting(lambda done, most: seen.append((done, most))):
            method(lr)
        assert [done for done, _ in seen] == [*range(1, method.trainings[0].iterations + 1)]
        method(lr)
        assert len(seen) == method.trainings[0].iterations

    @staticmethod
    def _size(method: ZeroShot) -> tuple[int, int]:
        return max(method.smallest, 16), max(method.smallest, 16) + 2
