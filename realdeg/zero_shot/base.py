"""The contract of methods that learn from the image that they enlarge."""

from __future__ import annotations

import logging
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from realdeg.backbones.base import Backbone, Colour
from realdeg.errors import GeometryError, MemoryShortageError
from realdeg.utils.argument_types import Positive, Scale, Whole
from realdeg.utils.memory import available_memory, memory_for
from realdeg.utils.precision import full_precision

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], object]
"""Called with the number of finished iterations and the largest number that may follow."""
Ending = Literal["converged", "iterations", "time"]

MIB = 1 << 20


@dataclass
class ImageTraining:
    """How the training on one image went.

    Attributes:
        iterations: The number of finished iterations.
        most: The number of iterations without an early end.
        seconds: Its duration.
        ended: ``"converged"``: by the method's own rule; ``"iterations"``: after all of them;
            ``"time"``: by the time budget, and the result is the best until then.
        error: The error that the method watches, of the result (its docstring says which).
    """

    iterations: int = 0
    most: int = 0
    seconds: float = 0.0
    ended: Ending = "iterations"
    error: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        found = asdict(self)
        return found | {"seconds": round(self.seconds, 1)}


class Watch:
    """Counts iterations, keeps the time budget and reports progress.

    Args:
        most: The largest number of iterations.
        seconds: The time budget; None: no limit.
        progress: Called after iterations.
    """

    def __init__(self, most: int, seconds: float | None, progress: Progress | None = None) -> None:
        self.training = ImageTraining(most=most)
        self._seconds, self._progress = seconds, progress
        self._began = time.monotonic()

    def start(self) -> None:
        """Start the clock again, after what the time budget does not cover."""
        self._began = time.monotonic()

    def count(self) -> None:
        """Count one iteration."""
        done = self.training
        done.iterations += 1
        done.seconds = time.monotonic() - self._began
        if self._progress is not None:
            self._progress(done.iterations, done.most)

    def late(self, share: float = 1.0) -> bool:
        """Return whether the time budget, or a share of it from the start, is used up."""
        if self._seconds is None or time.monotonic() - self._began < share * self._seconds:
            return False
        self.training.ended = "time"
        return True

    def finish(self) -> ImageTraining:
        """Return the record, with the whole duration."""
        self.training.seconds = time.monotonic() - self._began
        return self.training


class ZeroShot(Backbone):
    """A super-resolution method that trains on the image itself, at each call.

    It is used like any network: by ``infer``, ``test`` and :class:`realdeg.SuperResolver`. It has
    no weights, so there is nothing to train beforehand, no checkpoint and no export. Each image is
    trained on as a whole and alone: it is never cut into tiles, and the images of a batch do not
    influence each other. On a CPU, equal seeds give equal results, unless the time budget ends the
    training.

    A subclass implements :meth:`enlarge` and :meth:`bytes_needed`.

    Args:
        scale: HR over LR size.
        colour: ``"y"`` or ``"rgb"``; None: the class's.
        seed: Seed of initial values, crops and noise.
        seconds: Time budget of the training on one image; when it is used up, a warning says so and
            the result is the best until then. None: no limit.
        memory: Memory budget in MiB. An image that is estimated to need more, or more than is free,
            is refused before the training. None: what is free.

    Attributes:
        trainings: Records of the last call, one for each image.
        smallest: The smallest height and width in LR pixels.

    Raises:
        GeometryError: If the method lacks the scale.
    """

    zero_shot = True
    whole_image = True
    brings_weights = True
    takes_kernel = True
    halo = 1  # never used for tiles
    smallest: int = 1

    def __init__(
        self,
        scale: Scale = 4,
        colour: Colour | None = None,
        seed: Whole = 0,
        seconds: Positive | None = None,
        memory: Positive | None = None,
    ) -> None:
        super().__init__(scale=scale, colour=colour)
        self.seed, self.seconds, self.memory = seed, seconds, memory
        self.trainings: list[ImageTraining] = []
        self._progress: Progress | None = None

    @property
    def most_iterations(self) -> int:
        """The largest number of iterations for one image."""
        return 1

    @abstractmethod
    def enlarge(self, image: Tensor, kernel: Tensor | None, watch: Watch) -> Tensor:
        """Train on one image and enlarge it.

        Gradients are enabled, and the caller's random state is kept.

        Args:
            image: (1, C, h, w) in [0, 1], float32 or float64.
            kernel: The blur kernel of the call, (k, k) with sum 1; None: the method's own.
            watch: To be told of every iteration, and asked whether there is time.

        Returns:
            (1, C, H, W).
        """

    @abstractmethod
    def bytes_needed(self, height: int, width: int) -> int:
        """Return an estimate of the memory that the training on an LR image of this size takes."""

    def __call__(
        self, lr: Tensor, *, scale: float | None = None, cond: Tensor | None = None
    ) -> Tensor:
        """Check a batch, train on each image of it and return the enlarged images."""
        made = super().__call__(lr, scale=scale, cond=cond)
        assert isinstance(made, Tensor)
        return made

    def forward(self, lr: Tensor, *, cond: Tensor | None = None) -> Tensor:
        """Train on each image of (B, C, h, w) in [0, 1] and return (B, C, H, W).

        ``cond`` is the kernel by which HR was blurred before every ``scale``-th pixel was kept:
        (B or 1, 1, k, k), sum 1. It is centred on the LR pixels.
        """
        self._check_memory(int(lr.shape[-2]), int(lr.shape[-1]))
        self.trainings = []
        made = [
            self._one(lr[number : number + 1], _kernel(cond, number)) for number in range(len(lr))
        ]
        if not made:
            return lr.new_zeros(0, self.channels, *self.output_size(*map(int, lr.shape[-2:])))
        return torch.cat(made)

    def check_input(
        self, lr: Tensor, scale: float | None = None, cond: Tensor | None = None
    ) -> None:
        """Refuse images that are too small, and invalid kernels in ``cond``."""
        super().check_input(lr, scale, cond)
        name, (height, width) = type(self).__name__, (int(lr.shape[-2]), int(lr.shape[-1]))
        if min(height, width) < self.smallest:
            raise GeometryError(
                f"{name} learns from the image itself and needs {self.smallest} x {self.smallest}"
                f" pixels or more, got {height} x {width}: use a trained network for it."
            )
        if cond is None:
            return
        if cond.ndim != 4 or cond.shape[0] not in (1, lr.shape[0]) or cond.shape[1] != 1:
            raise GeometryError(
                f"cond of {name} is a blur kernel (B or 1, 1, k, k), got {tuple(cond.shape)}."
            )
        if cond.shape[2] != cond.shape[3] or cond.shape[-1] > min(height, width):
            raise GeometryError(
                f"cond of {name} is a kernel of {cond.shape[2]} x {cond.shape[3]} pixels: it must"
                f" be square and not larger than the image of {height} x {width}."
            )
        sums = cond.double().sum((1, 2, 3))
        if not bool(((sums - 1).abs() < 1e-3).all()):  # NaN fails, too
            raise GeometryError(
                f"cond of {name} is a kernel with the sum {float(sums[0]):g}: divide it by its sum,"
                " so that it keeps the brightness."
            )

    @contextmanager
    def reporting(self, progress: Progress | None) -> Iterator[None]:
        """Report the iterations of calls inside the block.

        Args:
            progress: Called with the number of finished iterations and the largest number; None:
                nothing is reported.
        """
        before, self._progress = self._progress, progress
        try:
            yield
        finally:
            self._progress = before

    def _one(self, image: Tensor, kernel: Tensor | None) -> Tensor:
        name, (height, width) = type(self).__name__, (int(image.shape[-2]), int(image.shape[-1]))
        watch = Watch(self.most_iterations, self.seconds, self._progress)
        advice = f"Cut the image into parts, or use a smaller {name} or a trained network."
        with (
            torch.inference_mode(False),
            torch.enable_grad(),
            full_precision(image),
            torch.random.fork_rng(devices=[]),
            memory_for(f"the training of {name} on {height} x {width} pixels", advice),
        ):
            precise = image.detach().to(torch.promote_types(image.dtype, torch.float32), copy=True)
            made = self.enlarge(precise, kernel, watch).detach().to(image.dtype)
        self.trainings.append(watch.finish())
        self._tell(watch.training)
        return made

    def _tell(self, done: ImageTraining) -> None:
        name = type(self).__name__
        if done.ended == "time":
            logger.warning(
                "%s: the time budget of %g s was used up after %d of at most %d iterations; the"
                " result is the best until then",
                *(name, self.seconds, done.iterations, done.most),
            )
        else:
            logger.info("%s: %d iterations in %.0f s", name, done.iterations, done.seconds)

    def _check_memory(self, height: int, width: int) -> None:
        needed, free = self.bytes_needed(height, width), available_memory()
        name = type(self).__name__
        if self.memory is not None and needed > self.memory * MIB:
            raise MemoryShortageError(
                f"{name} needs about {needed // MIB} MiB to train on an image of {height} x {width}"
                f" pixels, and its budget (memory) is {self.memory:g} MiB. It cannot work in tiles:"
                " raise the budget, cut the image into parts, or use a trained network."
            )
        if free is not None and needed > free:
            raise MemoryShortageError(
                f"{name} needs about {needed // MIB} MiB to train on an image of {height} x {width}"
                f" pixels, and {free // MIB} MiB are free. It cannot work in tiles: cut the image"
                " into parts, or use a trained network."
            )


def _kernel(cond: Tensor | None, number: int) -> Tensor | None:
    return None if cond is None else cond[number if len(cond) > 1 else 0, 0]
