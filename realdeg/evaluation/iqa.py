"""No-reference and perceptual metrics of the package pyiqa, under a protocol that names it.

pyiqa is the extra ``realdeg[iqa]``. It downloads weights when a metric is made for the first time,
so what it cannot fetch is n/a with the reason and the run continues.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor

from realdeg.errors import ConfigError, first_line, nearest
from realdeg.evaluation.base import ImageMetric, ImageScores
from realdeg.evaluation.image_quality import coloured
from realdeg.evaluation.iqa_protocol import IqaProtocol
from realdeg.evaluation.pairs import to_levels
from realdeg.evaluation.protocols import PROTOCOLS
from realdeg.registry import METRICS
from realdeg.utils.samples import Prediction

IQA_METRICS = ("niqe", "brisque", "piqe", "musiq", "clipiqa", "dists")
"""Names of pyiqa's metrics that need no prefix where a list of metrics is taken."""
EXPLICIT = "pyiqa/"
"""Put before any other name of pyiqa's, such as ``pyiqa/maniqa-pipal``."""
# A set's statistics, and not a number of an image.
_OF_SETS = ("fid", "fid_dinov2", "inception_score")
_FORCE = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"


@METRICS.register_module()
class PyIQA(ImageMetric):
    """Measure predictions with metrics of pyiqa.

    Scores are labelled ``niqe[pyiqa-0.1.16]``, with the installed version, because its numbers
    change between versions. A metric that cannot be made (package missing, no network for its
    weights) or cannot measure an image is n/a with the reason.

    pyiqa reads the weights that it downloads by unpickling. Here torch is told to read tensors only
    while a metric is made, so a file that is more than tensors is refused.

    Args:
        metrics: Names of pyiqa, such as ``niqe``, ``brisque``, ``piqe``, ``musiq``, ``clipiqa``,
            ``dists``, ``lpips``, ``maniqa-pipal``; those of sets (``fid``) are left to pyiqa.
        protocol: Only ``"pyiqa"``.
        options: Arguments for all of them, such as ``dict(test_y_channel=True)``, which become a
            part of the labels.
        prefix: As for :class:`ImageMetric`, and so are ``collect_device`` and ``collect_dir``.
        device: Where the networks run.

    Raises:
        ConfigError: If the installed pyiqa has no metric of a name, or refuses the options.
    """

    def __init__(
        self,
        metrics: Sequence[str] = ("niqe", "musiq", "clipiqa"),
        protocol: Literal["pyiqa"] = "pyiqa",
        options: Mapping[str, Any] | None = None,
        prefix: str | None = None,
        device: str = "cpu",
        collect_device: str = "cpu",
        collect_dir: str | None = None,
    ) -> None:
        """Make every metric; see the class."""
        super().__init__(prefix, collect_device, collect_dir)
        if protocol != "pyiqa":
            raise ConfigError(f"PyIQA has the protocol 'pyiqa' only, got {protocol!r}.")
        if isinstance(metrics, str) or not metrics or len(set(metrics)) < len(metrics):
            raise ConfigError(f"metrics are a list of different names, got {metrics!r}.")
        self.metrics = tuple(metrics)
        self._absent: dict[str, str] = {}
        self._made: dict[str, Any] = {}
        chosen = dict(options or {})
        package, reason = _package()
        version = str(getattr(package, "__version__", "")) if package is not None else ""
        start = f"pyiqa-{version}" if version else "pyiqa"
        parts = [start, *(f"{name}={value}" for name, value in chosen.items())]
        self.protocol = IqaProtocol(",".join(parts), version, chosen)
        for name in self.metrics:
            if package is None:
                self._leave_out(name, reason)
            else:
                self._make(package, name, chosen, device)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the scores, without the prefix."""
        return tuple(self.protocol.label(name) for name in self.metrics)

    def measure_image(self, sample: Prediction) -> ImageScores:
        """Measure one prediction; its target is given to the metrics that compare."""
        scores = ImageScores(str(sample.get("key", "?")))
        rgb = coloured(sample)
        images = None if rgb is None else [_ready(rgb), _ready(sample["target"])]
        for name in self.metrics:
            label = self.protocol.label(name)
            reason = self._absent.get(name, "")
            if not reason and images is None:
                reason = "it measures RGB images, and the prediction has only Y."
            if not reason:
                assert images is not None
                try:
                    scores.samples[label] = [self._measure(self._made[name], images)]
                    continue
                except Exception as error:
                    # Another package's code: an image too small for it, or a bug, ends no run.
                    reason = f"image '{scores.key}' could not be measured: {_told(error)}"
            scores.missing[label] = reason
        return scores

    def _measure(self, metric: Any, images: Sequence[Tensor]) -> float:
        compares = getattr(metric, "metric_mode", "FR") == "FR"
        with torch.no_grad():
            value = float(metric(*images[: 2 if compares else 1]))
        if value != value:
            raise ValueError("the result is not a number")
        return value

    def _make(self, package: Any, name: str, options: Mapping[str, Any], device: str) -> None:
        known = set(package.list_models())
        if name not in known or name in _OF_SETS:
            found = "measures sets of images" if name in known else "does not exist"
            raise ConfigError(
                f"pyiqa {package.__version__}: the metric '{name}' {found}."
                f"{nearest(name, known - set(_OF_SETS))} pyiqa.list_models() lists all."
            )
        try:
            with _tensors_only():
                self._made[name] = package.create_metric(name, device=device, **options)
        except TypeError as error:
            raise ConfigError(f"pyiqa's '{name}' refuses {dict(options)}: {error}.") from error
        except Exception as error:
            self._leave_out(name, f"pyiqa could not make it: {_told(error)}")

    def _leave_out(self, name: str, reason: str) -> None:
        # Said with the metric, so that a warning comes before hours of work.
        self._absent[name] = reason
        self.warn_missing(self.protocol.label(name), reason)


def _package() -> tuple[Any, str]:
    """Import pyiqa; return it, or None and why not."""
    try:
        return importlib.import_module("pyiqa"), ""
    except ModuleNotFoundError as error:
        if error.name == "pyiqa":
            return None, "pyiqa is not installed: pip install 'realdeg[iqa]'."
        return None, f"pyiqa needs {error.name}, which is not installed: pip install {error.name}."
    except Exception as error:
        # Such as a torchvision of another torch, which raises RuntimeError.
        return None, (
            f"pyiqa cannot be imported: {_told(error)} Its torchvision has to match torch"
            f" {torch.__version__}."
        )


@contextmanager
def _tensors_only() -> Iterator[None]:
    """Let torch read nothing but tensors from files, whatever the caller of torch.load wants."""
    before = os.environ.get(_FORCE)
    os.environ[_FORCE] = "1"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_FORCE, None)
        else:
            os.environ[_FORCE] = before


def _told(error: BaseException) -> str:
    line = first_line(error).rstrip(".")
    return f"{type(error).__name__}{': ' + line if line else ''}."


def _ready(image: Tensor) -> Tensor:
    """Return an image as read from its 8-bit file: float32 in [0, 1], shape (1, 3, H, W)."""
    levels = to_levels(image, PROTOCOLS["rgb"], grey=image.shape[0] == 1)
    return levels[None].float().div_(255)
