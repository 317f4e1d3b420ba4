"""Perceptual fingerprints: copies of an image, and parts of one image in another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from realdeg.diagnosis.limits import HASH_BITS, SAME_FEATURES, THUMBNAIL
from realdeg.errors import DataError
from realdeg.utils.image import ImageFile, as_rgb, read_image

# Side of the thumbnail, and of the low frequencies whose signs are the hash.
_THUMBNAIL, _HASH = 32, 8
# Features per image, and the longest side in which they are sought.
_FEATURES, _LONGEST = 500, 960
# Differing bits of 256 up to which two features match, and the second best over the best.
_MATCH, _RATIO = 48, 0.85
# Locality-sensitive hashing: a tenth of the time of comparing all features, at 100,000 of them.
_INDEX: dict[str, int | bool | float | str] = dict(
    algorithm=6, table_number=8, key_size=16, multi_probe_level=1
)
# A similarity explains a feature to this many pixels.
_REACH = 4.0
# Least contrast, in 8-bit levels, of a thumbnail that can be told from others.
_CONTRAST = 3.0


@dataclass(frozen=True)
class Print:
    """The fingerprint of one image.

    Args:
        path: The file.
        thumbnail: 32 x 32 luma.
        points: Positions of features (N, 2), in pixels of the reduced image.
        features: ORB descriptors, (N, 32) bytes.
    """

    path: ImageFile
    thumbnail: NDArray[np.float32]
    points: NDArray[np.float32]
    features: NDArray[np.uint8]


@dataclass(frozen=True)
class Likeness:
    """Two images that show the same.

    Args:
        first: One file.
        second: The other.
        how: ``"copy"``, ``"mirrored or turned copy"`` or ``"the same scene"``.
        evidence: Correlation of the thumbnails, or the number of features.
    """

    first: ImageFile
    second: ImageFile
    how: str
    evidence: float


def fingerprint(path: ImageFile, features: bool) -> Print | None:
    """Return the fingerprint of a file; None if it cannot be read or has no contrast.

    Args:
        path: An image.
        features: Whether features are needed, which find parts of images.
    """
    try:
        pixels = as_rgb(read_image(path))
    except DataError:
        return None  # named by another check
    if pixels.dtype == np.uint16:
        pixels = (pixels // 257).astype(np.uint8)
    factor = min(1.0, _LONGEST / max(pixels.shape[:2]))
    size = [max(8, round(side * factor)) for side in pixels.shape[1::-1]]
    if factor < 1:
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    luma = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
    small = cv2.resize(luma, (_THUMBNAIL, _THUMBNAIL), interpolation=cv2.INTER_AREA)
    thumbnail = small.astype(np.float32)
    if float(thumbnail.std()) < _CONTRAST:
        return None
    points, found = np.zeros((0, 2), np.float32), np.zeros((0, 32), np.uint8)
    if features:
        places, descriptors = cv2.ORB.create(_FEATURES).detectAndCompute(luma, None)
        if descriptors is not None:
            points = np.array([place.pt for place in places], np.float32)
            found = np.asarray(descriptors, np.uint8)
    return Print(path, thumbnail, points, found)


def perceptual_hash(thumbnail: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return 64 bits: which low frequencies of a thumbnail are above their median.

    Source:
        Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010 (pHash).
    """
    low = cv2.dct(thumbnail)[:_HASH, :_HASH].ravel()
    return np.asarray(low > np.median(low))


def find_copies(first: Sequence[Print], second: Sequence[Print] | None = None) -> list[Likeness]:
    """Find images that are the same as another after resizing, compression, mirroring or turning.

    Args:
        first: Fingerprints.
        second: Fingerprints to compare with; None compares ``first`` among itself.
    """
    others = first if second is None else second
    if not first or not others:
        return []
    table = np.stack([perceptual_hash(one.thumbnail) for one in others])
    found = []
    for number, one in enumerate(first):
        best: dict[int, tuple[float, bool]] = {}
        for turn, thumbnail in enumerate(_orientations(one.thumbnail)):
            near = (table != perceptual_hash(thumbnail)).sum(1) <= HASH_BITS
            for place in np.flatnonzero(near).tolist():
                if second is None and place <= number:
                    continue
                likeness = _correlation(thumbnail, others[place].thumbnail)
                if likeness >= THUMBNAIL and likeness > best.get(place, (0.0, False))[0]:
                    best[place] = (likeness, turn > 0)
        for place, (likeness, turned) in best.items():
            how = "mirrored or turned copy" if turned else "copy"
            found.append(Likeness(one.path, others[place].path, how, likeness))
    return found


def find_parts(first: Sequence[Print], second: Sequence[Print]) -> list[Likeness]:
    """Find images of one set of which a part is in an image of the other, at whatever scale.

    ORB features of all images of ``second`` are matched at once; two images show the same if one
    similarity transform explains at least ``SAME_FEATURES`` of their matches.

    Args:
        first: Fingerprints with features.
        second: The same of the other set.

    Source:
        Rublee et al., "ORB: An efficient alternative to SIFT or SURF", ICCV 2011.
    """
    holders = [one for one in second if len(one.features) >= SAME_FEATURES]
    if not holders:
        return []
    cv2.setRNGSeed(0)  # of the hash functions
    matcher = cv2.FlannBasedMatcher(_INDEX, {})
    matcher.add([one.features for one in holders])
    matcher.train()
    found = []
    for one in first:
        if len(one.features) < SAME_FEATURES:
            continue
        matches: dict[int, list[Any]] = {}
        for pair in matcher.knnMatch(one.features, k=2):
            if not pair or pair[0].distance > _MATCH:
                continue
            # The same scene may be in several images of the other set.
            rival = len(pair) > 1 and pair[1].imgIdx == pair[0].imgIdx
            if rival and pair[0].distance > _RATIO * pair[1].distance:
                continue
            matches.setdefault(pair[0].imgIdx, []).append(pair[0])
        for place, group in matches.items():
            if len(group) < SAME_FEATURES:
                continue
            ours = np.array([one.points[match.queryIdx] for match in group])
            theirs = np.array([holders[place].points[match.trainIdx] for match in group])
            cv2.setRNGSeed(0)
            _, inside = cv2.estimateAffinePartial2D(
                ours, theirs, method=cv2.RANSAC, ransacReprojThreshold=_REACH
            )
            count = 0 if inside is None else int(inside.sum())
            if count >= SAME_FEATURES:
                found.append(
                    Likeness(one.path, holders[place].path, "the same scene", float(count))
                )
    return found


def _orientations(image: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    turned = [np.rot90(image, quarter) for quarter in range(4)]
    return [np.ascontiguousarray(one) for one in (*turned, *(part[:, ::-1] for part in turned))]


def _correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])
