"""The registered metrics of generated LR images; docs/metrics.md has the formulas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, ClassVar

import torch
from torch import Tensor

from realdeg.errors import DataError
from realdeg.evaluation.base import ImageMetric, ImageScores
from realdeg.evaluation.degradation import noise as flat
from realdeg.evaluation.degradation.colour import colour_drift
from realdeg.evaluation.degradation.effective import (
    NormalEquations,
    kernel_widths,
    normal_equations,
)
from realdeg.evaluation.degradation.patches import frechet_distance, patch_features
from realdeg.evaluation.degradation.protocol import (
    LrPair,
    LrProtocol,
    get_lr_protocol,
    prepare_lr,
)
from realdeg.evaluation.degradation.spectra import (
    CrossSpectra,
    cross_spectra,
    decibel_distance,
    displacement,
    half_width,
    ring_sums,
    rings,
    transfer_curve,
)
from realdeg.evaluation.kernel_error import gain, kernel_errors
from realdeg.registry import METRICS
from realdeg.utils.samples import Prediction

# Candidates for flat blocks per image, and the minimum of flat blocks in the whole set.
_CANDIDATES = 256
_LEAST_BLOCKS = 16


class LrMetric(ImageMetric):
    """Compares generated LR images with real ones under one protocol.

    Subclasses define ``numbers`` and implement :meth:`look` (one image) and, if a score is not a
    mean over images, :meth:`gather` (the set). A score for which an image is too small or lacks HR
    is omitted, and ``missing`` has the reason.

    Args:
        protocol: A name of ``LR_PROTOCOLS``, or a dict with ``base`` and changed fields.
        prefix: As for :class:`ImageMetric`, and so are ``collect_device`` and ``collect_dir``.

    Raises:
        ConfigError: If the protocol is unknown.
    """

    protocol: LrProtocol
    numbers: ClassVar[tuple[str, ...]] = ()
    """The names of the scores, without the protocol."""
    needs_hr: ClassVar[bool] = False
    """Whether the HR image is required."""

    def __init__(
        self,
        protocol: str | Mapping[str, Any] | LrProtocol = "lr-statistics",
        prefix: str | None = None,
        collect_device: str = "cpu",
        collect_dir: str | None = None,
    ) -> None:
        """Find the protocol; see the class."""
        super().__init__(prefix, collect_device, collect_dir)
        self.protocol = get_lr_protocol(protocol)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the scores, without the prefix."""
        return tuple(self.protocol.label(name) for name in self.numbers)

    def measure_image(self, sample: Prediction) -> ImageScores:
        """Compare one generated LR image with the real one, and with HR if present."""
        key, hr = str(sample.get("key", "?")), sample.get("input")
        pair = prepare_lr(sample["prediction"], sample["target"], self.protocol, hr=hr, key=key)
        reason = f"image '{key}' comes without its HR image"
        if pair.hr is not None or not self.needs_hr:
            try:
                return self.look(pair)
            except DataError as error:
                reason = f"image '{key}': {error}"
        return ImageScores(key, missing=dict.fromkeys(self.labels, reason))

    def look(self, pair: LrPair) -> ImageScores:
        """Measure a generated and a real LR image.

        Returns:
            Their scores, and the data that :meth:`gather` needs.

        Raises:
            DataError: If the image is too small.
        """
        raise NotImplementedError


@METRICS.register_module()
class SubPixelShift(LrMetric):
    """How far generated LR images are displaced from the real ones, in LR pixels.

    ``shift`` is the mean distance; ``shift_rows`` and ``shift_columns`` are the mean displacements
    downwards and to the right, in which errors of single images cancel. Measured by the phase of
    the cross spectrum, to about 0.01 px; gain, noise and symmetric blur do not matter. Images
    without texture are omitted from the means.
    """

    numbers = ("shift", "shift_rows", "shift_columns")

    def look(self, pair: LrPair) -> ImageScores:
        """Measure one image."""
        protocol = self.protocol
        found = displacement(*pair.luma, protocol.block, most=protocol.most_blocks)
        if found is None:
            return ImageScores(pair.key)
        values = (float(torch.tensor(found).norm()), *found)
        return ImageScores(pair.key, {n: [v] for n, v in zip(self.labels, values, strict=True)})


@METRICS.register_module()
class ColourDrift(LrMetric):
    """How brightness, contrast and colour of generated LR images drift from the real ones.

    ``brightness``: mean difference of Y in levels; ``gain``: contrast of block means over the
    camera's; ``colour``: length of the mean difference of Cb and Cr, for images with colour.
    """

    numbers = ("brightness", "gain", "colour")
    nothing_found = "no image has enough contrast or colour to measure it."

    def look(self, pair: LrPair) -> ImageScores:
        """Measure one image."""
        found = colour_drift(pair.generated, pair.real)
        return ImageScores(pair.key, {self.protocol.label(name): [v] for name, v in found.items()})


@METRICS.register_module()
class NoiseStatistics(LrMetric):
    """The noise of generated LR images beside that of the real ones, where the scene is flat.

    Measured where HR, averaged over each LR pixel, varies least: in the flattest ``flat_share`` of
    the blocks of all images together. ``noise`` is the standard deviation in levels of Y,
    ``noise_spectrum`` the distance in dB between the two noise power spectra, ``noise_texture`` the
    variation of HR itself there: noise below it cannot be distinguished from texture.
    ``noise_camera`` is that of the real images.

    Attributes:
        curves: After an evaluation: ``frequency`` (cycles per LR pixel), ``generated`` and
            ``real`` (power, levels squared).
    """

    numbers = ("noise", "noise_camera", "noise_spectrum", "noise_texture")
    needs_hr = True
    nothing_found = f"fewer than {_LEAST_BLOCKS} flat blocks were found in all images."
    curves: dict[str, Tensor]

    def look(self, pair: LrPair) -> ImageScores:
        """Gather the flattest blocks of one image."""
        assert pair.hr is not None
        size = self.protocol.flat_block
        guide = flat.on_lr_grid(pair.hr[0], pair.stride)
        chosen, energy, blocks = flat.flat_candidates(guide, size, _CANDIDATES)
        powers = [
            flat.block_cosines(side, size, size // 2)[chosen].square().float()
            for side in (*pair.luma, guide)
        ]
        data = {"energy": energy, "blocks": blocks, "powers": torch.stack(powers)}
        return ImageScores(pair.key, data=data)

    def gather(self, records: Sequence[ImageScores]) -> dict[str, float]:
        """Choose the flattest blocks of all images and average."""
        self.curves = {}
        energy = torch.cat([record.data["energy"] for record in records])
        wanted = round(self.protocol.flat_share * sum(r.data["blocks"] for r in records))
        chosen = energy.argsort(stable=True)[: max(wanted, _LEAST_BLOCKS)]
        if len(chosen) < _LEAST_BLOCKS:
            return {}
        powers = torch.cat([r.data["powers"] for r in records], 1)[:, chosen].double().mean(1)
        frequency, generated = flat.noise_curve(powers[0])
        real = flat.noise_curve(powers[1])[1]
        self.curves = {"frequency": frequency, "generated": generated, "real": real}
        values = (
            flat.noise_level(powers[0]),
            flat.noise_level(powers[1]),
            decibel_distance(generated, real),
            flat.noise_level(powers[2]),
        )
        return dict(zip(self.labels, values, strict=True))


@METRICS.register_module()
class Bandwidth(LrMetric):
    """How much of each frequency of the scene the LR images keep.

    ``bandwidth`` (``bandwidth_camera`` for the real images) is the frequency, in cycles per LR
    pixel, at which half of the contrast is left (MTF50), at most the sampling limit 0.5.
    ``transfer`` is the root mean square difference of the two transfer functions, ``spectrum`` the
    distance of the power spectra in dB, with noise and aliasing. Each image's displacement against
    HR is removed first.

    Attributes:
        curves: After an evaluation: ``frequency``, ``generated`` and ``real`` (transfer
            functions), ``power_generated`` and ``power_real``.
    """

    numbers = ("bandwidth", "bandwidth_camera", "transfer", "spectrum")
    needs_hr = True
    nothing_found = "no image has enough texture to measure it."
    curves: dict[str, Tensor]

    def look(self, pair: LrPair) -> ImageScores:
        """Gather the spectra of one image."""
        assert pair.hr is not None
        protocol = self.protocol
        block, most, hr = protocol.block, protocol.most_blocks, pair.hr[0]
        shifts = torch.zeros(3, 2, dtype=torch.float64)
        for index, image in enumerate(pair.luma):
            found = displacement(image, hr, block, pair.stride, most)
            if found is None:
                return ImageScores(pair.key)
            shifts[index] = torch.tensor(found, dtype=torch.float64)
        spectra = cross_spectra((*pair.luma, hr), block, (1, 1, pair.stride), most)
        return ImageScores(pair.key, data={"spectra": spectra.shifted(shifts)})

    def gather(self, records: Sequence[ImageScores]) -> dict[str, float]:
        """Add up the spectra of all images and compare."""
        self.curves = {}
        some = [record.data["spectra"] for record in records if record.data]
        if not some:
            return {}
        total = CrossSpectra(sum(s.products for s in some), sum(s.blocks for s in some))
        frequency = rings(total.block)[0]
        transfers = [transfer_curve(total, image, 2) for image in (0, 1)]
        powers = [ring_sums(total.power(image)) for image in (0, 1)]
        self.curves = {
            "frequency": frequency,
            "generated": transfers[0],
            "real": transfers[1],
            "power_generated": powers[0],
            "power_real": powers[1],
        }
        values = (
            half_width(frequency, transfers[0]),
            half_width(frequency, transfers[1]),
            float((transfers[0] - transfers[1]).square().mean().sqrt()),
            decibel_distance(powers[0], powers[1]),
        )
        return dict(zip(self.labels, values, strict=True))


@METRICS.register_module()
class PatchDistance(LrMetric):
    """The Frechet distance between the patches of generated and of real LR images.

    Features are logarithms of amplitudes in DCT bands, and means of the channels
    (:func:`~realdeg.evaluation.degradation.patch_features`). As with every such distance, compare
    only scores of equally many patches of the same scenes.
    """

    numbers = ("frechet",)

    def look(self, pair: LrPair) -> ImageScores:
        """Describe the patches of one image."""
        protocol = self.protocol
        channels = 1 if protocol.channels == "y" else 3
        if pair.generated.shape[0] < channels:
            raise DataError(
                "the images have only Y, and the protocol's patches have Y, Cb and Cr; measure"
                f" under dict(base='{protocol.name}', channels='y')."
            )
        sides = (pair.generated[:channels], pair.real[:channels])
        features = [
            patch_features(side, protocol.patch, protocol.patch_step).float() for side in sides
        ]
        return ImageScores(pair.key, data={"features": torch.stack(features)})

    def gather(self, records: Sequence[ImageScores]) -> dict[str, float]:
        """Compare the two sets of patches."""
        features = torch.cat([record.data["features"] for record in records], 1).double()
        if features.shape[1] < 2:
            return {}
        return {self.labels[0]: frechet_distance(features[0], features[1])}


@METRICS.register_module()
class EffectiveKernel(LrMetric):
    """The kernel that best approximates the degradation, compared with that of the camera.

    Both are least-squares fits from HR over the whole set. ``kernel_error`` is their relative
    distance after normalising their sums and aligning their centres, ``kernel_centroid`` the
    distance of the centres (HR px), ``kernel_second_moment`` that of the covariances (HR px
    squared), ``kernel_width`` and ``kernel_width_camera`` the widths (HR px, the sigma of a
    Gaussian), ``kernel_gain`` and ``kernel_gain_camera`` the sums.

    Attributes:
        kernels: After an evaluation: ``generated`` and ``real``, correlation kernels (k, k).
    """

    numbers = (
        *("kernel_error", "kernel_centroid", "kernel_second_moment"),
        *("kernel_width", "kernel_width_camera", "kernel_gain", "kernel_gain_camera"),
    )
    needs_hr = True
    kernels: dict[str, Tensor]

    def look(self, pair: LrPair) -> ImageScores:
        """Set up the least-squares problem of one image."""
        assert pair.hr is not None
        protocol = self.protocol
        images = torch.stack(pair.luma)
        equations = normal_equations(
            pair.hr[0], images, pair.stride, protocol.kernel_size, protocol.windows
        )
        return ImageScores(pair.key, data={"equations": equations, "stride": pair.stride})

    def gather(self, records: Sequence[ImageScores]) -> dict[str, float]:
        """Solve the problem of all images and compare the kernels."""
        equations: list[NormalEquations] = [record.data["equations"] for record in records]
        total = reduce(lambda first, second: first + second, equations)
        if float(total.products.trace()) <= 0:
            self.kernels = {}
            return {}
        generated, real = total.kernels()
        self.kernels = {"generated": generated, "real": real}
        errors = kernel_errors(generated[None], real[None], int(records[0].data["stride"]))
        values = [errors[name] for name in ("relative_aligned", "centroid", "second_moment")]
        values += [*kernel_widths(total.kernels()), gain(generated[None]), gain(real[None])]
        return {label: float(value) for label, value in zip(self.labels, values, strict=True)}
