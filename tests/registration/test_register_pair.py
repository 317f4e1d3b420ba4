"""Transforms that are known are found again."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from realdeg.registration import (
    RejectedPairError,
    cut_pair,
    find_features,
    match_features,
    register_pair,
    seek,
)
from realdeg.registration.coarse import CoarseMatch
from realdeg.registration.colour import colour_transfer
from realdeg.registration.rectangle import inner_rectangle
from realdeg.registration.refinement import refine
from realdeg.registration.transform import Transform, choose_model, fit_transform
from realdeg.registration.warp import grid, prepare, sample, warp
from tests.evaluation.scenes import render, scene
from tests.registration.photos import jpeg, known


def near(photos, off=(1.5, -1.0), grow=1.004) -> CoarseMatch:
    """A start as features give it: a pixel or two off, without rotation."""
    middle = (np.array(photos.wide.shape[:2]) - 1) / 2
    ratio = photos.ratio * grow
    matrix = np.diag([ratio, ratio, 1.0])
    matrix[:2, 2] = photos.truth(middle) + np.array(off) * ratio - ratio * middle
    return CoarseMatch(matrix, "features", 20.0)


def error(found, photos) -> np.ndarray:
    """Distance from the truth, in wide pixels, over the overlap."""
    part = found.overlap
    places = grid((part.height, part.width), (part.top, part.left))[::8, ::8]
    return np.hypot(*((found.transform(places) - photos.truth(places)) / photos.ratio).T)


def lumas(photos) -> list[np.ndarray]:
    return [image.mean(2).astype(np.float32) for image in (photos.wide, photos.tele)]


@pytest.mark.parametrize(
    "truth",
    [
        dict(ratio=2.04, rotation=1.0),
        dict(ratio=3.06, rotation=-0.8, shift=(-5.5, 3.2), tele=(288, 320)),
        dict(ratio=1.0, rotation=-0.6, shift=(3.7, 2.4), tele=(128, 144)),
    ],
    ids=["x2", "x3", "same size"],
)
def test_the_true_transform_is_found(truth):
    photos = known(**truth, seed=3)
    photos.wide[:] = jpeg(photos.wide)
    found = register_pair(*lumas(photos), near(photos))
    off = error(found, photos)
    assert np.median(off) < 0.05 and off.max() < 0.1
    assert found.ratio == pytest.approx(truth["ratio"], rel=1e-3)
    assert found.rotation == pytest.approx(truth["rotation"], abs=0.05)
    assert found.model == "affine" and found.sharpness < 1 and found.correlation > 0.9


@pytest.mark.slow
def test_distortion_is_seen_and_corrected():
    photos = known(bend=0.03, tele=(288, 320), seed=1)
    found = register_pair(*lumas(photos), near(photos))
    assert found.model == "distortion"
    assert np.median(error(found, photos)) < 0.05
    stiff = register_pair(*lumas(photos), near(photos), "affine")
    assert np.median(error(stiff, photos)) > 2 * np.median(error(found, photos))


def test_refinement_alone_finds_an_affine_transform():
    waves = scene(0, 2)
    places = grid((96, 112))
    matrix = np.array([[1.012, 0.014, 2.1], [-0.011, 0.995, -1.4], [0, 0, 1]])
    reference = render(waves, places[..., 0], places[..., 1], 0.5) * 200
    # The image shows at M x what the reference shows at x.
    back = np.linalg.inv(matrix)
    at = places @ back[:2, :2].T + back[:2, 2]
    image = render(waves, at[..., 0], at[..., 1], 0.9) * 180 + 10
    found = refine(image, reference)
    assert np.abs(found.matrix @ [48, 56, 1] - matrix @ [48, 56, 1]).max() < 0.03
    assert np.abs(found.matrix[:2, :2] - matrix[:2, :2]).max() < 1e-3
    assert found.gain == pytest.approx(200 / 180, rel=0.05) and found.iterations > 3


@pytest.mark.parametrize("name", ["bicubic", "spline"])
def test_sampling_is_exact_and_clamped(name):
    image = np.random.default_rng(0).uniform(0, 255, (21, 17, 2)).astype(np.float32)
    prepared = prepare(image, name)
    assert np.abs(sample(prepared, grid((21, 17)), name) - image).max() < 1e-3
    far = sample(prepared, np.array([[-40.0, 3.0], [90.0, 3.0]]), "bicubic")
    if name == "bicubic":
        assert np.array_equal(far, image[[0, -1], 3])
        return
    places = grid((12, 9), (2.3, 4.6))
    for channel in range(2):
        reference = map_coordinates(
            image[..., channel].astype(float), places.transpose(2, 0, 1), order=3, mode="mirror"
        )
        assert np.abs(sample(prepared, places, name)[..., channel] - reference).max() < 1e-3


def test_a_transform_and_its_inverse_and_its_record():
    matrix = np.array([[2.1, 0.03, -14], [-0.02, 2.05, 9], [1e-5, -2e-5, 1]])
    place = Transform(matrix, (0.02, -0.01), (200.0, 260.0), 328.0)
    points = grid((6, 7), (3, 4)) * 30
    assert np.abs(place.inverse(place(points)) - points).max() < 1e-9
    again = Transform.from_record(place.record())
    assert np.array_equal(again(points), place(points))
    affine = Transform(np.diag([2.0, 2.0, 1.0]))
    assert affine.scale_at((3, 4)) == pytest.approx(2) and affine.rotation_at((1, 1)) == 0


def test_a_model_is_as_rich_as_the_points():
    drawn = np.random.default_rng(0)
    points = grid((7, 7)) * 60
    start = Transform(np.diag([2.0, 2.0, 1.0]), (0.0, 0.0), (360.0, 360.0), 510.0)
    noise = drawn.normal(size=points.shape) * 0.04
    flat = (points.reshape(-1, 2), (start(points) + noise).reshape(-1, 2), start)
    assert choose_model(*flat).model is None
    bent = Transform(np.diag([2.01, 2.0, 1.0]), (0.004, 0.0), (360.0, 360.0), 510.0)
    target = (bent(points) + noise).reshape(-1, 2)
    target[:4] += 25  # what moved
    found = choose_model(points.reshape(-1, 2), target, start)
    assert found.model == "distortion"
    assert np.abs(found.transform(points) - bent(points)).max() < 0.15
    few = fit_transform(points[0, :4], target[:4], start, "distortion")
    assert few.model == "affine"


def test_the_inner_rectangle_touches_the_edges():
    found = inner_rectangle(lambda p: 2 * p - 40, (100, 120), (81, 101), 0)
    assert (found.top, found.left, found.height, found.width) == (20, 20, 41, 51)
    assert inner_rectangle(lambda p: p + 500, (50, 50), (40, 40), 0) is None


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("moved", ["hr", "lr"])
def test_lr_pixel_i_lies_at_s_i_and_half_of_s_minus_1(scale, moved):
    """A ramp of positions: HR's values around an LR pixel average to that pixel's."""
    photos = known(ratio=scale, tele=(40 * scale, 44 * scale), extra=1.3, rotation=0.5)
    at = grid(photos.tele.shape[:2])
    tele = np.repeat((30000 + 100 * at[..., :1] + 40 * at[..., 1:]).astype(np.uint16), 3, 2)
    spots = photos.truth(grid(photos.wide.shape[:2]))
    ramp = 30000 + 100 * spots[..., :1] + 40 * spots[..., 1:]
    wide = np.repeat(np.round(ramp).clip(0, 65535).astype(np.uint16), 3, 2)
    registration = exact(photos)
    pair = cut_pair(
        wide, tele, registration, scale=scale, same_size=False, resample=moved, colour="keep"
    )
    height, width = pair.lr.shape[:2]
    assert pair.hr.shape == (scale * height, scale * width, 3)
    inside = np.s_[3:-3, 3:-3, 0]
    mean = pair.hr.astype(float).reshape(height, scale, width, scale, 3).mean((1, 3))
    assert np.abs(mean[inside] - pair.lr[inside].astype(float)).max() < 2
    kept = wide if moved == "hr" else tele
    part = pair.cut.rectangle.slices
    assert np.array_equal(pair.lr if moved == "hr" else pair.hr, kept[part])


def exact(photos):
    """A registration with the true transform."""
    from realdeg.registration.pair import Registration

    points = grid((9, 9)) * (np.array(photos.wide.shape[:2]) - 1) / 8
    middle = tuple((np.array(photos.tele.shape[:2]) - 1) / 2)
    guess = Transform(near(photos).matrix, (0.0, 0.0), middle, np.hypot(*photos.tele.shape[:2]) / 2)
    flat = points.reshape(-1, 2)
    place = fit_transform(flat, photos.truth(flat), guess, "affine").transform
    assert np.abs(place(flat) - photos.truth(flat)).max() < 1e-6
    part = inner_rectangle(place, photos.wide.shape, photos.tele.shape, 3)
    return Registration(
        place, "affine", part, photos.ratio, 0, 0, 0, 9, 9, 1.0, 0.9, 0.5, 1
    )  # fmt: skip


@pytest.mark.parametrize("ratio", [1.0, 2.0])
def test_lr_lies_on_the_hr_grid(ratio):
    photos = known(ratio=ratio, tele=(100, 120), rotation=0.8)
    at = grid(photos.tele.shape[:2])
    tele = np.repeat((30000 + 90 * at[..., :1] + 40 * at[..., 1:]).astype(np.uint16), 3, 2)
    spots = photos.truth(grid(photos.wide.shape[:2]))
    wide = np.repeat(np.round(30000 + 90 * spots[..., :1] + 40 * spots[..., 1:]), 3, 2)
    for resample in ("auto", "lr"):
        pair = cut_pair(
            wide.clip(0, 65535).astype(np.uint16),
            tele,
            exact(photos),
            scale=2,
            same_size=True,
            resample=resample,
            colour="keep",
        )
        assert pair.hr.shape == pair.lr.shape
        assert pair.cut.moved == ("hr" if ratio == 1 and resample == "auto" else "lr")
        gap = pair.hr.astype(float) - pair.lr.astype(float)
        assert np.abs(gap[4:-4, 4:-4]).max() < 3


def test_hr_is_not_made_of_nothing():
    photos = known(ratio=2.0, tele=(160, 176))
    images = [image.clip(0, 255).astype(np.uint8) for image in (photos.wide, photos.tele)]
    with pytest.raises(RejectedPairError, match="2.00 times as large, so an HR of scale 4"):
        cut_pair(*images, exact(photos), scale=4, same_size=False)
    with pytest.raises(RejectedPairError, match="too little remains"):
        cut_pair(*images, exact(photos), scale=2, same_size=False, crop=0.2)


def test_colours_are_those_of_hr():
    drawn = np.random.default_rng(0)
    hr = warp(drawn.uniform(30, 220, (24, 24, 3)), lambda p: p / 5, (110, 110)).clip(10, 235)
    gains, offset = np.array([1.1, 0.95, 0.9]), np.array([4.0, -2.0, 6.0])
    lr = warp(hr, lambda p: p, (110, 110)) * gains + offset + drawn.normal(size=hr.shape) * 3
    found = colour_transfer(lr.astype(np.float32), hr, "match")
    assert np.abs(found.matrix @ np.diag(gains) - np.eye(3)).max() < 0.02
    assert np.abs(found(hr * gains + offset) - hr).mean() < 1
    copied = colour_transfer(lr.astype(np.float32), hr, "statistics")
    made = copied(lr.astype(np.float32)).reshape(-1, 3)
    assert np.abs(np.cov(made.T) - np.cov(hr.reshape(-1, 3).T)).max() < 25
    assert np.array_equal(colour_transfer(lr, hr, "keep").matrix, np.eye(3))


def test_features_and_correlation_find_the_place():
    photos = known(ratio=2.04, tele=(320, 360), extra=1.3, seed=5)
    wide, tele = lumas(photos)
    places = grid((5, 5)) * np.array(wide.shape) / 5
    for found in (
        match_features(find_features(wide, 2400), find_features(tele, 1200)),
        seek(wide, tele, 2.0),
        seek(wide, tele),
    ):
        assert found is not None
        off = Transform(found.matrix)(places) - photos.truth(places)
        assert np.abs(off).max() / photos.ratio < 4
    other = lumas(known(seed=9, tele=(320, 360)))[1]
    assert match_features(find_features(wide, 2400), find_features(other, 1200)) is None
    assert seek(wide, other, 2.0) is None


def test_pairs_that_cannot_be_used_say_why():
    photos = known(tele=(224, 256))
    wide, tele = lumas(photos)
    with pytest.raises(RejectedPairError, match="too little is in both photos: "):
        register_pair(wide, tele, CoarseMatch(np.diag([9.0, 9.0, 1.0]), "features", 1))
    drawn = np.random.default_rng(0)
    flat = [
        np.full(image.shape, 90.0) + drawn.normal(size=image.shape) / 2 for image in lumas(photos)
    ]
    with pytest.raises(RejectedPairError, match="too little texture"):
        register_pair(*(image.astype(np.float32) for image in flat), near(photos))
    other = lumas(known(seed=7))[1]
    with pytest.raises(RejectedPairError, match="no overlap that fits|do not match|has moved"):
        register_pair(wide, other, near(photos))
    soft = known(tele=(224, 256), blurs=(0.0, 0.0), noise=0.5)
    blurred = warp(soft.tele, lambda p: p, soft.tele.shape[:2], shrinks=9.0).mean(2)
    with pytest.raises(RejectedPairError, match="tele photo is too blurred"):
        register_pair(soft.wide.mean(2).astype(np.float32), blurred, near(soft))
