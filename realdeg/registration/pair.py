"""The registration of one pair: coarse place, refinement, correction by phase."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from realdeg.errors import DataError
from realdeg.registration.coarse import CoarseMatch
from realdeg.registration.rectangle import Rectangle, inner_rectangle
from realdeg.registration.refinement import refine
from realdeg.registration.regions import measure_regions
from realdeg.registration.transform import MODELS, Model, Transform, choose_model, fit_transform
from realdeg.registration.warp import blur, grid, warp

# RealSR's refinement leaves out the levels of its pyramid with more pixels: the phase of regions
# is measured at full resolution afterwards.
_MOST_PIXELS = 800_000
# The tele photo on the grid of the wide one is blurred by this, times its pixels per wide pixel,
# so that nothing aliases; and by as many more LR pixels as the wide photo is.
_BASE = 0.5
_BLURS = (0.0, 0.5, 0.8, 1.2, 1.8, 2.7, 4.0, 6.0, 9.0)
# Corrections by all pixels; less than this (LR pixels) ends them.
_POLISHES, _SETTLED = 4, 0.002
# Correlation that a correction may cost, as the overlap changes a little.
_LOSS = 1e-3
# A photo is reduced before its regions are measured only if this much remains.
_LEAST_REDUCED = 160
# The least side of an overlap in pixels of the wide photo, and pixels left out at photos' edges.
_LEAST_SIDE, _MARGIN = 40, 3
# Limits beyond which a pair is rejected. The residual is in units of what the wide photo resolves:
# a pixel, or the sigma of its blur; and its blur is in pixels if it is smaller, or not.
_LEAST_REGIONS, _LEAST_FOUND = 4, 0.4
_LEAST_CORRELATION = 0.5
_LARGEST_RESIDUAL, _MOST_OFF = 0.5, 0.25
_SHARPER = 1.15
_MOST_BLUR, _MOST_BLUR_SAME = 3.0, 8.0
_SAME = 1.2
# Published pairs on one grid deviate by this much more than their blur says.
_ENLARGED = 1.5


class RejectedPairError(DataError):
    """A pair that cannot be used; the message is the end of a sentence that starts with it."""


@dataclass(frozen=True)
class Registration:
    """How two photos lie to each other.

    Args:
        transform: From the wide photo into the tele photo.
        model: The transform's kind.
        overlap: The part of the wide photo that the tele photo shows.
        ratio: Pixels of the tele photo per pixel of the wide photo.
        rotation: Of the tele photo's content, clockwise, in degrees.
        residual: Median length of what the transform does not explain, in regions, LR pixels.
        worst: The largest of them.
        regions: How many regions were measured.
        textured: How many have texture.
        correlation: Of luma, tele photo blurred like the wide one.
        sharpness: Gradients of the wide photo over those of the tele photo on its grid.
        blur: Gaussian blur of the wide photo against the tele one, sigma in wide pixels; coarse.
        iterations: Systems that RealSR's refinement solved.
    """

    transform: Transform
    model: Model
    overlap: Rectangle
    ratio: float
    rotation: float
    residual: float
    worst: float
    regions: int
    textured: int
    correlation: float
    sharpness: float
    blur: float
    iterations: int


def register_pair(
    wide: np.ndarray,
    tele: np.ndarray,
    coarse: CoarseMatch,
    model: Model | Literal["auto"] = "auto",
    *,
    phase: bool = True,
) -> Registration:
    """Find the transform from a wide photo into a tele photo of the same scene.

    The tele photo is brought to the grid of the wide one and blurred like it, so that both show
    the same frequencies. RealSR's refinement follows, and then rounds in which the phase of
    regions is measured and the transform is fitted to their displacements.

    Args:
        wide: Luma in 8-bit levels, shape (H, W).
        tele: Luma in 8-bit levels, shape (h, w).
        coarse: Where it lies, to a few pixels.
        model: The kind of the transform; ``"auto"``: the one that predicts left-out regions best.
        phase: False stops after RealSR's refinement.

    Raises:
        RejectedPairError: If the photos do not overlap or do not show the same scene.
    """
    return _Registering(wide, tele, coarse).run(model, phase)


class _Registering:
    def __init__(self, wide: np.ndarray, tele: np.ndarray, coarse: CoarseMatch) -> None:
        self.wide, self.tele = wide, tele
        middle = tuple((side - 1) / 2 for side in tele.shape)
        radius = math.hypot(*tele.shape) / 2
        self.transform = Transform(coarse.matrix, (0.0, 0.0), (middle[0], middle[1]), radius)
        self._blurred: tuple[float, np.ndarray] = (-1.0, tele)
        self.overlap = self._overlap()

    def run(self, model: Model | Literal["auto"], phase: bool) -> Registration:
        iterations = 0
        extra = self._match_blur()
        for _ in range(2):
            before, place = self._correlation(extra), (self.transform, self.overlap)
            iterations += self._refine(extra)
            if self._correlation(extra) < before:
                self.transform, self.overlap = place
                break
            extra = self._match_blur()
        if phase:
            # The few iterations of RealSR do not always converge, least of all on blurred photos.
            before, place = self._correlation(extra), (self.transform, self.overlap)
            self._polish("affine", extra)
            if self._correlation(extra) < before - _LOSS:
                self.transform, self.overlap = place
        centres, shifts, textured = self._measure(extra)
        used: Model = "affine"
        if phase and len(centres) >= _LEAST_REGIONS:
            centres, shifts, textured, used = self._correct(centres, shifts, textured, model, extra)
        error = np.hypot(*shifts.T)
        resolved = extra if self.ratio > _SAME else _ENLARGED * extra
        self._judge(error, textured, max(1.0, resolved))
        correlation = self._correlation(extra)
        if not correlation >= _LEAST_CORRELATION:
            raise RejectedPairError(
                f"the photos do not match: their correlation is {correlation:.2f} at the best place"
            )
        sharpness = self._sharpness()
        if sharpness > _SHARPER:
            raise RejectedPairError(
                f"the tele photo is too blurred: the wide one is {sharpness:.2f} times as sharp on"
                " the same grid (out of focus, shaken, or the two are swapped)"
            )
        if extra > (_MOST_BLUR if self.ratio > _SAME else _MOST_BLUR_SAME):
            raise RejectedPairError(
                f"the wide photo is too blurred: by a Gaussian of {extra:g} of its pixels or more"
            )
        return Registration(
            self.transform,
            used,
            self.overlap,
            self.ratio,
            self.transform.rotation_at(self.overlap.middle),
            float(np.median(error)),
            float(error.max()),
            len(error),
            textured,
            correlation,
            sharpness,
            extra,
            iterations,
        )

    @property
    def ratio(self) -> float:
        return self.transform.scale_at(self.overlap.middle)

    def _overlap(self) -> Rectangle:
        found = inner_rectangle(self.transform, self.wide.shape, self.tele.shape, _MARGIN)
        if found is None or min(found.height, found.width) < _LEAST_SIDE:
            size = "nothing" if found is None else f"{found.height} x {found.width} pixels"
            raise RejectedPairError(
                f"too little is in both photos: {size} of the wide one, at least {_LEAST_SIDE} x"
                f" {_LEAST_SIDE} are needed"
            )
        return found

    def _ours(self) -> np.ndarray:
        return self.wide[self.overlap.slices]

    def _reference(self, extra: float) -> np.ndarray:
        """Return the tele photo on the grid of the wide one, blurred by more of its pixels."""
        sigma = self.ratio * math.hypot(_BASE, extra) if self.ratio > _SAME else extra * self.ratio
        if abs(self._blurred[0] - sigma) > 0.02 * max(sigma, 0.1):
            self._blurred = sigma, blur(self.tele[..., None], sigma)
        start = self.overlap.start
        place = self.transform
        size = (self.overlap.height, self.overlap.width)
        return warp(self._blurred[1], lambda p: place(p + start), size)[..., 0]

    def _correlation(self, extra: float) -> float:
        ours, theirs = (_band(one) for one in (self._ours(), self._reference(extra)))
        return _correlate(ours, theirs)

    def _match_blur(self) -> float:
        """Return the blur of the tele photo at which it is most like the wide one."""
        ours, sharp = self._ours(), self._reference(0.0)
        scores = [
            _correlate(_detail(ours), _detail(blur(sharp[..., None], extra)[..., 0]))
            for extra in _BLURS
        ]
        return _BLURS[int(np.argmax(scores))]

    def _refine(self, extra: float) -> int:
        *images, factor = _reduced([self._ours(), self._reference(extra)])
        enlarge = np.diag([factor, factor, 1.0])
        # Pixel i of the reduced photo is centred at f (i + 0.5) - 0.5.
        enlarge[:2, 2] = (factor - 1) / 2 + self.overlap.start
        found = refine(images[0], images[1])
        back = enlarge @ np.linalg.inv(found.matrix) @ np.linalg.inv(enlarge)
        before = self.transform, self.overlap
        self.transform = self.transform.after(back)
        try:
            self.overlap = self._overlap()
        except RejectedPairError:
            self.transform, self.overlap = before
        return found.iterations

    def _measure(self, extra: float) -> tuple[np.ndarray, np.ndarray, int]:
        """Measure regions: centres in the overlap, displacements, and how many have texture.

        A blurred photo is reduced to what it resolves, where the phase is twice as certain.
        """
        images = [self._ours(), self._reference(0.0)]
        factor = max(1, min(round(extra), min(images[0].shape) // _LEAST_REDUCED))
        reduced = [_shrunk(one, factor) for one in images]
        centres, shifts, textured = measure_regions(reduced[0], reduced[1])
        return centres * factor + (factor - 1) / 2, shifts * factor, textured

    def _correct(
        self,
        centres: np.ndarray,
        shifts: np.ndarray,
        textured: int,
        model: Model | Literal["auto"],
        extra: float,
    ) -> tuple[np.ndarray, np.ndarray, int, Model]:
        """Correct the transform by the regions' displacements, then by all pixels again."""
        at = centres + self.overlap.start
        # What lies at ``at`` in the wide photo lies a displacement earlier in the reference.
        target = self.transform(at - shifts)
        if model == "auto":
            fit = choose_model(at, target, self.transform)
        else:
            fit = fit_transform(at, target, self.transform, model)
        used = fit.model or "affine"
        if fit.model is None:
            return centres, shifts, textured, used
        before = (self.transform, centres, shifts, textured)
        likeness = self._correlation(extra)
        self.transform = fit.transform
        self.overlap = self._overlap()
        self._polish(used, extra)
        centres, shifts, textured = self._measure(extra)
        worse = _median(shifts) > max(1.05 * _median(before[2]), 0.02) if len(shifts) else True
        if worse or self._correlation(extra) < likeness - _LOSS:
            self.transform, centres, shifts, textured = before
            self.overlap = self._overlap()
            used = "affine"
        return centres, shifts, textured, used

    def _polish(self, model: Model, extra: float) -> None:
        """Fit all numbers of a model to all pixels, with the weights of the refinement."""
        for _ in range(_POLISHES):
            start, size = self.overlap.start, (self.overlap.height, self.overlap.width)
            ours, theirs, factor = _reduced([self._ours(), self._reference(extra)])
            gain = float(ours.std()) / max(float(theirs.std()), 1e-6)
            rest = ours - ours.mean() - gain * (theirs - theirs.mean())
            down, right = (gain * one for one in np.gradient(theirs))
            basis = _displacements(grid(ours.shape) * factor + (factor - 1) / 2, size)
            columns = (basis[..., 0] * down + basis[..., 1] * right)[: MODELS[model]] / factor
            flat = columns.reshape(len(columns), -1)
            weighed = flat / (np.abs(rest) + 0.1).reshape(-1)
            normal = weighed @ flat.T
            normal[np.diag_indices(len(normal))] *= 1 + 1e-4
            numbers = np.linalg.lstsq(normal, weighed @ rest.reshape(-1), None)[0]
            at = np.stack(np.meshgrid(*(np.linspace(0, n - 1, 12) for n in size)), -1).reshape(
                -1, 2
            )
            moved = np.tensordot(numbers, _displacements(at, size)[: len(numbers)], 1)
            target = self.transform(at + moved + start)
            self.transform = fit_transform(at + start, target, self.transform, model).transform
            self.overlap = self._overlap()
            if float(np.abs(moved).max()) < _SETTLED:
                break

    def _judge(self, error: np.ndarray, textured: int, grain: float) -> None:
        if textured < _LEAST_REGIONS:
            raise RejectedPairError(
                f"too little texture: {textured} regions of the overlap show any, at least"
                f" {_LEAST_REGIONS} are needed"
            )
        if len(error) < max(_LEAST_REGIONS, _LEAST_FOUND * textured):
            raise RejectedPairError(
                f"no overlap that fits: {len(error)} of {textured} regions with texture are found"
                " in both photos"
            )
        most = _LARGEST_RESIDUAL * grain
        off = float((error > most).mean())
        if off > _MOST_OFF:
            raise RejectedPairError(
                f"the scene or the camera has moved (parallax): {100 * off:.0f} % of the regions"
                f" are more than {most:.2g} px off after the best fit, median"
                f" {np.median(error):.2f} px"
            )

    def _sharpness(self) -> float:
        ours, theirs = self._ours(), self._reference(0.0)
        gain = max(float(ours.std()), 1e-6) / max(float(theirs.std()), 1e-6)
        rms = [
            float(np.sqrt(np.mean(np.square(np.gradient(blur(one[..., None], 0.7)[..., 0])))))
            for one in (ours, theirs)
        ]
        return rms[0] / max(gain * rms[1], 1e-6)


def _reduced(images: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, int]:
    """Reduce two images until they have few enough pixels; return by how much as well."""
    factor = 1
    while images[0].size / factor**2 > _MOST_PIXELS:
        factor *= 2
    return _shrunk(images[0], factor), _shrunk(images[1], factor), factor


def _shrunk(image: np.ndarray, factor: int) -> np.ndarray:
    """Average blocks: pixel i of the result is centred at f (i + 0.5) - 0.5."""
    if factor == 1:
        return image
    size = [n // factor for n in image.shape]
    cut = image[: size[0] * factor, : size[1] * factor]
    small: np.ndarray = cv2.resize(cut, size[::-1], interpolation=cv2.INTER_AREA)
    return small


def _displacements(places: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the displacements that the numbers of a transform cause: (10, ..., 2), in pixels.

    Six of an affine transform, two of a homography, two of radial distortion.
    """
    middle = (np.array(size) - 1) / 2
    down, right = np.moveaxis((places - middle) / float(max(size) / 2), -1, 0)
    one, zero, square = np.ones_like(down), np.zeros_like(down), down * down + right * right
    pairs = [
        *((one, zero), (zero, one), (down, zero), (zero, down), (right, zero), (zero, right)),
        *((down * down, down * right), (down * right, right * right)),
        *((down * square, right * square), (down * square**2, right * square**2)),
    ]
    return np.stack([np.stack(pair, -1) for pair in pairs])


def _median(shifts: np.ndarray) -> float:
    return float(np.median(np.hypot(*shifts.T)))


def _correlate(first: np.ndarray, second: np.ndarray) -> float:
    first, second = first - first.mean(), second - second.mean()
    norm = math.sqrt(float((first * first).sum()) * float((second * second).sum()))
    return float((first * second).sum()) / norm if norm > 0 else 0.0


def _band(luma: np.ndarray) -> np.ndarray:
    """Remove brightness and noise by a difference of Gaussians."""
    fine = blur(luma[..., None], 1.0)[..., 0]
    band: np.ndarray = fine - blur(luma[..., None], 6.0)[..., 0]
    return band


def _detail(luma: np.ndarray) -> np.ndarray:
    detail: np.ndarray = luma - blur(luma[..., None], 3.0)[..., 0]
    return detail
