"""Registration against known warps: realdeg, ECC and a homography from features.

Scenes are HR photos. The tele photo is a part of a scene; the wide photo is the scene reduced by a
known transform (rotation up to 1 degree, scale error up to 2 %, a shift of several pixels), with a
spatially varying blur, gain 1.1, a colour cast, noise and JPEG 90. Real pairs (City100, NTIRE 2019)
are warped by such a transform on top of their own registration; for them the truth is what the
method itself finds without that warp, composed with it.

    python benchmarks/registration.py DATA docs/results/registration.json

``DATA`` has the folders ``Kodak24``, ``City100-iPhoneX`` and ``NTIRE19-RealSR``.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch

from realdeg.errors import DataError
from realdeg.registration import find_features, match_features, register_pair, seek
from realdeg.registration.rectangle import inner_rectangle
from realdeg.registration.transform import Transform
from realdeg.registration.warp import blur, warp
from realdeg.utils.image import as_rgb, read_image

Place = Callable[[np.ndarray], np.ndarray]
Method = Callable[[np.ndarray, np.ndarray], Place]


def similarity(
    ratio: float, rotation: float, shift: np.ndarray, here: np.ndarray, there: np.ndarray
) -> np.ndarray:
    """A (3, 3) matrix about the middles of two images."""
    turn = math.radians(rotation)
    matrix = np.eye(3)
    matrix[:2, :2] = ratio * np.array(
        [[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]]
    )
    matrix[:2, 2] = there + shift - matrix[:2, :2] @ here
    return matrix


def draw(number: int) -> tuple[float, float, np.ndarray]:
    """Scale error, rotation in degrees and shift in wide pixels of a pair."""
    drawn = np.random.default_rng(number)
    return (
        1 + float(drawn.uniform(-0.02, 0.02)),
        float(drawn.uniform(-1, 1)),
        drawn.uniform(-8, 8, 2),
    )


def spoil(image: np.ndarray, number: int) -> np.ndarray:
    """Gain, colour cast, noise and JPEG 90."""
    drawn = np.random.default_rng(1000 + number)
    levels = 1.1 * image * np.array([1.04, 1.0, 0.95]) + drawn.normal(size=image.shape) * 2
    coded = cv2.imencode(
        ".jpg", np.clip(levels + 0.5, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 90]
    )
    return cv2.imdecode(coded[1], cv2.IMREAD_COLOR)


def planted(
    scene: np.ndarray, scale: float, bend: float, number: int
) -> tuple[np.ndarray, np.ndarray, Place]:
    """A wide and a tele photo of a scene, and where one lies in the other."""
    error, rotation, shift = draw(number)
    ratio = scale * error
    size = tuple(int(side / ratio) - 2 for side in scene.shape[:2])
    middles = [(np.array(n[:2]) - 1) / 2 for n in (size, scene.shape)]
    matrix = similarity(ratio, rotation, ratio * shift, *middles)
    centre = (float(middles[1][0]), float(middles[1][1]))
    place = Transform(matrix, (bend, 0.0), centre, math.hypot(*scene.shape[:2]) / 2)
    # From 0.5 to 1 wide pixel of blur, from the upper left to the lower right.
    weight = sum(np.meshgrid(*(np.linspace(0, 0.5, n) for n in scene.shape[1::-1])))[..., None]
    soft = (1 - weight) * blur(scene, 0.5 * ratio) + weight * blur(scene, ratio)
    wide = spoil(warp(soft, place, (size[0], size[1])), number)
    edge = [n // 8 for n in scene.shape[:2]]
    tele = scene[edge[0] : -edge[0], edge[1] : -edge[1]]
    return wide, tele.astype(np.uint8), lambda p: place(p) - np.array(edge)


def rewarped(lr: np.ndarray, number: int) -> tuple[np.ndarray, Place]:
    """An LR image turned, enlarged and moved, and where its pixels were."""
    error, rotation, shift = draw(number)
    middle = (np.array(lr.shape[:2]) - 1) / 2
    place = Transform(similarity(error, rotation, shift, middle, middle))
    moved = warp(lr.astype(np.float32), place, lr.shape[:2], "spline")
    return spoil(np.clip(moved, 0, 255), number), place


def ours(wide: np.ndarray, tele: np.ndarray, phase: bool = True) -> Place:
    """Register two lumas as realdeg does."""
    coarse = match_features(find_features(wide, 2400), find_features(tele, 1200))
    coarse = coarse or seek(wide, tele)
    if coarse is None:
        raise DataError("no overlap")
    return register_pair(wide, tele, coarse, phase=phase).transform


def feature_homography(wide: np.ndarray, tele: np.ndarray) -> Place:
    """SIFT, Lowe's ratio test and RANSAC on the photos as they are."""
    detector = cv2.SIFT_create()
    found = [detector.detectAndCompute(np.clip(one, 0, 255).astype(np.uint8), None) for one in
             (wide, tele)]  # fmt: skip
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(found[0][1], found[1][1], k=2)
    good = [a for a, b in pairs if a.distance < 0.75 * b.distance]
    if len(good) < 8:
        raise DataError("fewer than 8 matches")
    points = [
        np.array([side[0][getattr(one, name)].pt for one in good])
        for side, name in zip(found, ("queryIdx", "trainIdx"), strict=True)
    ]
    matrix, _ = cv2.findHomography(points[0], points[1], cv2.RANSAC, 3.0)
    if matrix is None:
        raise DataError("no homography")
    swap = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1.0]])
    return Transform(swap @ (matrix / matrix[2, 2]) @ swap)


def ecc(wide: np.ndarray, tele: np.ndarray) -> Place:
    """cv2.findTransformECC, affine, from the same features, tele reduced to the wide grid."""
    coarse = match_features(find_features(wide, 2400), find_features(tele, 1200))
    coarse = coarse or seek(wide, tele)
    if coarse is None:
        raise DataError("no overlap")
    factor = max(1.0, coarse.ratio)
    size = [max(1, round(n / factor)) for n in tele.shape]
    small = cv2.resize(tele, size[::-1], interpolation=cv2.INTER_AREA).astype(np.float32)
    reduce = np.eye(3)
    for axis in (0, 1):
        reduce[axis, axis] = size[axis] / tele.shape[axis]
        reduce[axis, 2] = 0.5 * reduce[axis, axis] - 0.5
    part = inner_rectangle(Transform(coarse.matrix), wide.shape, tele.shape, 3)
    if part is None:
        raise DataError("no overlap")
    offset = np.eye(3)
    offset[:2, 2] = part.start
    swap = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1.0]])
    start = (swap @ reduce @ coarse.matrix @ offset @ swap)[:2].astype(np.float32)
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 100, 1e-6)
    template = wide[part.slices].astype(np.float32)
    try:
        _, found = cv2.findTransformECC(
            template, small, start, cv2.MOTION_AFFINE, stop, np.ones(small.shape, np.uint8), 5
        )
    except cv2.error as error:
        raise DataError("ECC does not converge") from error
    full = np.linalg.inv(reduce) @ swap @ np.vstack([found, [0, 0, 1]]) @ swap
    return Transform(full @ np.linalg.inv(offset))


METHODS: dict[str, Method] = {
    "realdeg": ours,
    "realdeg, RealSR's refinement alone": lambda wide, tele: ours(wide, tele, phase=False),
    "ECC (affine)": ecc,
    "SIFT homography": feature_homography,
}


def judge(
    place: Place, truth: Place, wide: np.ndarray, tele: np.ndarray, ratio: float
) -> tuple[float, float]:
    """Median and worst distance from the truth in wide pixels, over what both photos show."""
    part = inner_rectangle(truth, wide.shape, tele.shape, 4)
    assert part is not None
    steps = [np.linspace(0, n - 1, 15) for n in (part.height, part.width)]
    at = np.stack(np.meshgrid(*steps, indexing="ij"), -1) + part.start
    off = np.hypot(*((place(at) - truth(at)) / ratio).reshape(-1, 2).T)
    return float(np.median(off)), float(off.max())


def luma(image: np.ndarray) -> np.ndarray:
    """The mean of the channels."""
    return image.mean(2).astype(np.float32)


def synthetic(data: Path, count: int) -> Iterator[tuple[str, str, np.ndarray, np.ndarray, Place]]:
    """Pairs with a planted transform: group, name, wide, tele and truth."""
    kodak = sorted((data / "Kodak24").glob("*.png"))[:count]
    large = sorted((data / "NTIRE19-RealSR/train/HR").glob("*.png"))[: max(1, count // 3)]
    for scale, bend in ((1, 0.0), (2, 0.0), (4, 0.0), (2, 0.015)):
        for number, file in enumerate([*kodak, *large]):
            if scale == 4 and file in kodak:
                continue  # an LR of 120 pixels is not a photo
            scene = as_rgb(read_image(file)).astype(np.float32)[:1200, :1200]
            group = f"planted x{scale}" + (", distorted" if bend else "")
            yield group, file.name, *planted(scene, scale, bend, number)


def real(data: Path, count: int) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """Real pairs: group, name, LR and HR."""
    for name, files in (
        ("City100", sorted((data / "City100-iPhoneX").glob("*H.PNG"))),
        ("NTIRE 2019", sorted((data / "NTIRE19-RealSR/train/HR").glob("*.png"))),
    ):
        for file in files[:count]:
            other = file.with_name(file.name.replace("H.PNG", "L.PNG"))
            if name != "City100":
                other = file.parents[1] / "LR" / file.name
            images = [as_rgb(read_image(one))[:800, :800] for one in (other, file)]
            yield name, file.name, images[0], images[1]


def planted_error(
    call: Method,
    images: tuple[np.ndarray, np.ndarray],
    truth: Place,
    photos: tuple[np.ndarray, np.ndarray],
    ratio: float,
) -> tuple[float, float]:
    """How far a method is from the planted transform."""
    return judge(call(*images), truth, *photos, ratio)


def repeated(call: Method, lr: np.ndarray, hr: np.ndarray, number: int) -> tuple[float, float]:
    """How much a method's result for a warped pair differs from that without the warp."""
    moved, place = rewarped(lr, number)
    before = call(luma(lr), luma(hr))
    found = call(luma(moved), luma(hr))
    return judge(found, lambda p: before(place(p)), moved, hr, 1.0)


def main() -> None:
    """Run all methods on all pairs and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of the data sets")
    parser.add_argument("out", type=Path, help="the JSON file to write")
    parser.add_argument("--count", type=int, default=4, help="scenes of each kind (4)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    rows: list[dict[str, object]] = []

    def note(group: str, name: str, method: str, run: Callable[[], tuple[float, float]]) -> None:
        start = time.process_time()
        row: dict[str, object] = {"group": group, "pair": name, "method": method}
        try:
            row["median"], row["worst"] = (round(value, 4) for value in run())
        except DataError as error:
            row["failed"] = str(error)
        row["cpu_seconds"] = round(time.process_time() - start, 2)
        rows.append(row)
        print(row, flush=True)

    for group, name, wide, tele, truth in synthetic(args.data, args.count):
        images = luma(wide), luma(tele)
        ratio = float(group.split("x")[1][0])
        for method, call in METHODS.items():
            run = partial(planted_error, call, images, truth, (wide, tele), ratio)
            note(group, name, method, run)
    for number, (group, name, lr, hr) in enumerate(real(args.data, max(2, args.count // 2))):
        for method, call in METHODS.items():
            note(group, name, method, partial(repeated, call, lr, hr, number))
    summary = []
    for group in dict.fromkeys(str(row["group"]) for row in rows):
        for method in METHODS:
            some = [row for row in rows if (row["group"], row["method"]) == (group, method)]
            good = [row for row in some if "failed" not in row]
            summary.append(
                {
                    "group": group,
                    "method": method,
                    "pairs": len(some),
                    "failed": len(some) - len(good),
                    "median": round(float(np.median([r["median"] for r in good])), 4)
                    if good
                    else None,
                    "worst_median": max((float(r["median"]) for r in good), default=None),
                    "worst": max((float(r["worst"]) for r in good), default=None),
                    "cpu_seconds": round(float(np.median([r["cpu_seconds"] for r in some])), 2),
                }
            )
    text = json.dumps({"versions": {"opencv": cv2.__version__, "numpy": np.__version__},
                       "summary": summary, "pairs": rows}, indent=1)  # fmt: skip
    args.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
