"""Where an image lies in its photo, and how crops, flips and reductions change that."""

import numpy as np
import pytest
import torch

from realdeg.datasets.transforms import DownsampleHR, Flip, PairedCrop
from realdeg.degradations.primitives import field_position
from realdeg.errors import DataError
from realdeg.utils.place import Place, as_place
from realdeg.utils.streams import Stream


def positions(height=20, width=30):
    """Return a photo whose pixels say where they lie: radius, x and y."""
    return field_position(Place.whole(height, width), (height, width))


def test_a_photo_s_corners_have_radius_1_and_its_middle_0():
    radius, x, y = field_position(Place.whole(300, 400), (300, 400))
    assert radius.max() == pytest.approx(1, abs=4e-3)
    assert radius[149:151, 199:201].max() < 4e-3
    assert (x[0, 0], y[0, 0]) == (pytest.approx(-0.8, abs=4e-3), pytest.approx(-0.6, abs=4e-3))


def test_the_position_in_a_crop_is_that_in_the_photo():
    whole = positions()
    place = Place.whole(20, 30).cropped(4, 7, 10, 12)
    assert torch.equal(field_position(place, (10, 12)), whole[:, 4:14, 7:19])
    again = place.cropped(2, 3, 4, 5)
    assert torch.equal(field_position(again, (4, 5)), whole[:, 6:10, 10:15])


def test_the_grid_of_lr_has_the_mean_position_of_its_blocks():
    place = Place.whole(20, 30).cropped(4, 6, 8, 12)
    fine = field_position(place, (8, 12))
    coarse = field_position(place, (4, 6))
    block = torch.nn.functional.avg_pool2d(fine[1:], 2)
    torch.testing.assert_close(coarse[1:], block, atol=1e-6, rtol=0)
    torch.testing.assert_close(field_position(place.resized(4, 6), (4, 6)), coarse)


@pytest.mark.parametrize("position", range(12))
def test_a_flipped_crop_keeps_its_distance_from_the_axis(position):
    sides = dict(horizontal=True, vertical=True, transpose=True)
    photo = (positions()[0].numpy() * 255).astype(np.uint8)[..., None]
    sample = {
        "key": "photo",
        "meta": {"place": Place.whole(20, 30)},
        "hr": photo,
        "scale": 1,
        "same_size": True,
        "seed": 0,
        "stream": Stream(0, position),
    }
    for step in (PairedCrop(12), Flip(**sides)):
        sample = step(sample)
    radius = field_position(sample["meta"]["place"], (12, 12))[0]
    assert np.abs(radius.numpy() * 255 - sample["hr"][..., 0]).max() <= 1


def test_reducing_a_photo_keeps_its_place_in_the_photo():
    sample = {
        "key": "photo",
        "meta": {"place": Place(8, 4, 12, 16, 40, 60)},
        "hr": np.zeros((12, 16, 3), np.uint8),
        "scale": 1,
        "same_size": True,
        "seed": 0,
        "stream": Stream(0, 0),
    }
    assert DownsampleHR(2)(sample)["meta"]["place"] == (4, 2, 6, 8, 20, 30)


@pytest.mark.parametrize(
    "value",
    [None, "place", [1, 2, 3], [0, 0, 4, 4, 8, float("nan")], [0, 0, 4, 4, 8, True]],
)
def test_what_is_not_a_place_is_named(value):
    with pytest.raises(DataError, match="the trace of DML: 'place' is .*wanted six numbers"):
        as_place(value, "the trace of DML")


@pytest.mark.parametrize("value", [[-1, 0, 4, 4, 8, 8], [5, 0, 4, 4, 8, 8], [0, 0, 0, 4, 8, 8]])
def test_an_image_outside_of_its_photo_is_named(value):
    with pytest.raises(DataError, match="does not lie in a photo of 8 x 8"):
        as_place(value, "x")
