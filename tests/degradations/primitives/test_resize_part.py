"""A part of a resized image is that part of the whole."""

from __future__ import annotations

import pytest
import torch

from realdeg.degradations.primitives.resize import imresize, imresize_part


@pytest.mark.parametrize("size", [(46, 60), (92, 120), (57, 81), (11, 15), (23, 30), (23, 60)])
@pytest.mark.parametrize(
    "rows, columns", [((0, 9), (2, 15)), ((3, 11), (0, 7)), ((10, 11), (14, 15))]
)
def test_parts_are_the_whole_s(size, rows, columns):
    image = torch.rand(1, 2, 23, 30, generator=torch.Generator().manual_seed(0))
    asked = []

    def source(down, across):
        asked.append((down, across))
        return image[..., down[0] : down[1], across[0] : across[1]]

    part = imresize_part(source, 23, 30, size, rows, columns)
    whole = imresize(image, size=size)
    expected = whole[..., rows[0] : rows[1], columns[0] : columns[1]]
    torch.testing.assert_close(part, expected, atol=1e-6, rtol=0)
    if size == (92, 120):
        (((top, bottom), (left, right)),) = asked
        assert bottom - top < 10 and right - left < 12  # no more than it needs
    assert torch.equal(imresize_part(source, 23, 30, size, (0, size[0]), (0, size[1])), whole)
