"""The metric that measures predicted images under one protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn

from realdeg.errors import ConfigError, DataError, nearest
from realdeg.evaluation import metrics as functions
from realdeg.evaluation.base import ImageMetric, ImageScores
from realdeg.evaluation.metrics.perceptual import (
    LPIPS_LABEL,
    PerceptualUnavailableError,
    StLpipsNetwork,
    load_lpips,
    load_st_lpips,
    lpips_distance,
    st_lpips_label,
)
from realdeg.evaluation.pairs import prepare_pair, to_levels
from realdeg.evaluation.protocols import PROTOCOLS, Protocol, get_protocol
from realdeg.registry import METRICS
from realdeg.utils.samples import Prediction

_PAIRWISE = ("psnr", "ssim", "ms_ssim", "gmsd")
PERCEPTUAL_METRICS = ("lpips", "st_lpips")
"""Those that have a protocol of their own."""
METRIC_NAMES = (*_PAIRWISE, *PERCEPTUAL_METRICS)


def _functions(protocol: Protocol) -> dict[str, Callable[[Tensor, Tensor], float]]:
    return {
        "psnr": partial(functions.psnr, peak=protocol.psnr_peak),
        "ssim": partial(
            functions.ssim,
            data_range=protocol.ssim_range,
            window=protocol.ssim_window,
            floor=protocol.ssim_floor,
        ),
        "ms_ssim": partial(functions.ms_ssim, data_range=255.0, floor=protocol.ssim_floor),
        "gmsd": partial(functions.gmsd, data_range=255.0),
    }


def measure(
    prediction: Tensor,
    target: Tensor,
    protocol: str | Mapping[str, Any] | Protocol,
    metrics: Sequence[str] = ("psnr", "ssim"),
    *,
    scale: float = 1,
    where: str = "the image",
    grey: bool = False,
) -> dict[str, list[float]]:
    """Measure one prediction.

    Args:
        prediction: RGB or Y in [0, 1], shape (3 or 1, H, W).
        target: RGB or Y in [0, 1], shape (3 or 1, H, W).
        protocol: A protocol, its name, or a dict with ``base`` and changes.
        metrics: Any of ``psnr``, ``ssim``, ``ms_ssim``, ``gmsd``.
        scale: The super-resolution scale, for protocols whose border depends on it.
        where: The image's name in messages.
        grey: Whether the image's files have one channel, for the protocol's treatment of these.

    Returns:
        By label (with the protocol), one value per sample (tile).

    Raises:
        ConfigError: If a metric or protocol is unknown.
        DataError: If the images do not match each other, the protocol or a metric.

    Examples:
        >>> import torch
        >>> measure(torch.zeros(3, 16, 16), torch.zeros(3, 16, 16), "rgb")
        {'psnr[rgb]': [inf], 'ssim[rgb]': [1.0]}
    """
    chosen = get_protocol(protocol)
    check_metric_names(metrics, _PAIRWISE)
    available = _functions(chosen)
    samples: dict[str, list[float]] = {chosen.label(name): [] for name in metrics}
    prepare = partial(prepare_pair, prediction, target, scale=scale, where=where, grey=grey)
    pairs = prepare(protocol=chosen)
    rounded = pairs
    if chosen.for_ssim() is not chosen and not {"ssim", "ms_ssim"}.isdisjoint(metrics):
        rounded = prepare(protocol=chosen.for_ssim())
    for name in metrics:
        for first, second in rounded if name in ("ssim", "ms_ssim") else pairs:
            try:
                samples[chosen.label(name)].append(available[name](first, second))
            except DataError as error:
                raise DataError(f"{where}, protocol '{chosen.name}': {error}") from error
    return samples


def coloured(sample: Prediction) -> Tensor | None:
    """Return a prediction in RGB, or None if there is only Y."""
    rgb: Tensor | None = sample.get("prediction_rgb")
    return sample["prediction"] if rgb is None and sample["prediction"].shape[0] == 3 else rgb


def chosen_prediction(sample: Prediction, protocol: Protocol) -> Tensor:
    """Return the image that a protocol measures: the network's output, or its RGB picture.

    Raises:
        DataError: If the protocol measures the RGB picture, and there is none.
    """
    rgb = coloured(sample)
    if protocol.measured == "picture" and rgb is None:
        raise DataError(
            f"image '{sample.get('key', '?')}': protocol '{protocol.name}' measures the RGB"
            " picture, and the prediction has only Y; measure under 'benchmark-y', say."
        )
    wanted = protocol.colour == "rgb" or protocol.measured == "picture"
    return rgb if wanted and rgb is not None else sample["prediction"]


def check_metric_names(names: Sequence[str], known: Sequence[str] = METRIC_NAMES) -> None:
    """Raise ConfigError if there are no names, duplicates, or names not in ``known``."""
    if isinstance(names, str) or not names or len(set(names)) < len(names):
        raise ConfigError(f"metrics are a list of different names, got {names!r}.")
    for name in names:
        if name not in known:
            raise ConfigError(
                f"no image metric named '{name}': there are {', '.join(known)}."
                f"{nearest(str(name), set(known))}"
            )


@METRICS.register_module()
class ImageQuality(ImageMetric):
    """Compare predictions with their targets under one protocol.

    Scores are labelled ``psnr[realsr-official]``. LPIPS and ST-LPIPS have their own protocol (whole
    image, 8-bit RGB, no border) and are labelled ``lpips[alex-v0.1]`` and
    ``st_lpips[alex-vST0.0]``. If one cannot be computed, one warning says why, the score is listed
    in ``missing`` and the run continues.

    Args:
        protocol: A name of :data:`~realdeg.evaluation.PROTOCOLS`, or a dict with ``base`` and
            changed fields.
        metrics: Any of ``psnr``, ``ssim``, ``ms_ssim``, ``gmsd``, ``lpips``, ``st_lpips``.
        prefix: As for :class:`ImageMetric`, and so are ``collect_device`` and ``collect_dir``.
        lpips_weights: AlexNet's state dict, for ``lpips``.
        st_lpips_network: The trunk of ``st_lpips``. A network that was trained on features of one
            is measured with the other.
        st_lpips_weights: The file of that trunk; None looks in the installed package
            stlpips-pytorch.

    Raises:
        ConfigError: If the protocol or a metric is unknown.
    """

    protocol: Protocol
    compares_images = True
    """Whether scores depend on prediction, target and scale only, so that any other image can be
    measured in place of the prediction."""

    def __init__(
        self,
        protocol: str | Mapping[str, Any] | Protocol = "realsr-official",
        metrics: Sequence[str] = ("psnr", "ssim"),
        prefix: str | None = None,
        lpips_weights: str | None = None,
        collect_device: str = "cpu",
        collect_dir: str | None = None,
        st_lpips_network: StLpipsNetwork = "alex",
        st_lpips_weights: str | None = None,
    ) -> None:
        """Check the names; see the class."""
        super().__init__(prefix, collect_device, collect_dir)
        self.protocol = get_protocol(protocol)
        check_metric_names(metrics)
        self.metrics = tuple(metrics)
        self._names = {
            "lpips": f"lpips[{LPIPS_LABEL}]",
            "st_lpips": f"st_lpips[{st_lpips_label(st_lpips_network)}]",
        }
        self._networks: dict[str, nn.Module] = {}
        self._absent: dict[str, str] = {}
        if "lpips" in self.metrics:
            self._load("lpips", partial(load_lpips, lpips_weights))
        if "st_lpips" in self.metrics:
            self._load("st_lpips", partial(load_st_lpips, st_lpips_network, st_lpips_weights))

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the scores, without the prefix."""
        return tuple(self._names.get(name) or self.protocol.label(name) for name in self.metrics)

    def _load(self, name: str, load: Callable[[], nn.Module]) -> None:
        # Loaded with the metric, so that a warning comes before hours of work.
        try:
            self._networks[name] = load()
        except PerceptualUnavailableError as error:
            self._absent[name] = str(error)
            self.warn_missing(self._names[name], str(error))

    def measure_image(self, sample: Prediction) -> ImageScores:
        """Compare one prediction with its target."""
        scores = ImageScores(str(sample.get("key", "?")))
        pairwise = [name for name in self.metrics if name in _PAIRWISE]
        if pairwise:
            scores.samples |= measure(
                chosen_prediction(sample, self.protocol),
                sample["target"],
                self.protocol,
                pairwise,
                scale=sample.get("scale") or 1,
                where=f"image '{scores.key}'",
                grey=bool((sample.get("meta") or {}).get("grey")),
            )
        for name in self.metrics:
            if name in PERCEPTUAL_METRICS:
                self._add_perceptual(name, scores, coloured(sample), sample["target"])
        return scores

    def _add_perceptual(
        self, name: str, scores: ImageScores, rgb: Tensor | None, target: Tensor
    ) -> None:
        reason = self._absent.get(name, "")
        if name in self._networks:
            if rgb is None or rgb.shape != target.shape:
                found = "only Y" if rgb is None else f"the shape {tuple(rgb.shape)}"
                reason = f"it compares RGB images of the target's size, the prediction has {found}."
            else:
                whole = PROTOCOLS["rgb"]
                first, second = to_levels(rgb, whole), to_levels(target, whole)
                try:
                    distance = lpips_distance(self._networks[name], first, second)
                    scores.samples[self._names[name]] = [distance]
                    return
                # The pools reduce a small image to nothing.
                except RuntimeError as error:
                    reason = f"image '{scores.key}' could not be measured ({error})."
        scores.missing[self._names[name]] = reason
