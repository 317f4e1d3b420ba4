"""What lies further from a cut than ``border`` is the same as in the whole image."""

import pytest
import torch

from realdeg.degradations import (
    DSGAN,
    SRMD,
    Bicubic,
    BlurDown,
    CinCGANDegradation,
    HighToLow,
    KernelPool,
)
from realdeg.degradations.primitives import filter_image, imresize

SIZES = ((149, 151), (150, 154), (151, 149))


def network(cls, scale, **settings):
    torch.manual_seed(0)
    return cls(scale, True, width=4, **settings).eval()


MAKERS = {
    "Bicubic": lambda scale: Bicubic(scale, True),
    "BlurDown": lambda scale: BlurDown(scale, True, kind="BD"),
    "SRMD": lambda scale: SRMD(scale, True, sigma=(0.0, 0.0), rounding=False),
    "KernelPool": lambda scale: KernelPool(scale, True),
    "DSGAN": lambda scale: network(DSGAN, scale, num_blocks=1),
    "CinCGANDegradation": lambda scale: network(
        CinCGANDegradation, scale, num_blocks=1, residual=True
    ),
    "HighToLow": lambda scale: network(HighToLow, scale, noise="none"),
}


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", MAKERS)
def test_enlarged_images_with_sides_that_the_scale_does_not_divide(name, scale):
    degradation = MAKERS[name](scale)
    rim, more = degradation.border, max(0, degradation.border - 100)
    generator = torch.Generator().manual_seed(0)
    hr = torch.rand(1, 3, 190 + more, 197 + more, generator=generator)
    for height, width in SIZES:
        cut = hr[..., : height + more, : width + more]
        inner = (..., slice(height + more - rim), slice(width + more - rim))
        with torch.no_grad():
            whole, part = degradation(hr, [5])[inner], degradation(cut, [5])[inner]
        assert part.numel()
        torch.testing.assert_close(part, whole, rtol=0, atol=1e-5)


def test_former_words_for_padding_still_do():
    image, kernel = torch.rand(1, 1, 9, 9), torch.full((3, 3), 1 / 9)
    wanted = filter_image(image, kernel, "circular")
    with pytest.warns(DeprecationWarning, match="padding='circular'"):
        assert torch.equal(filter_image(image, kernel, "wrap"), wanted)
    with pytest.warns(DeprecationWarning, match="use padding="):
        assert torch.equal(filter_image(image, kernel, border="circular"), wanted)
    with pytest.warns(DeprecationWarning, match="padding='symmetric'"):
        assert torch.equal(imresize(image, 2, padding="mirror"), imresize(image, 2))


def test_traces_and_files_keep_their_words():
    with pytest.warns(DeprecationWarning, match=r"BlurDown\(padding=...\)"):
        former = BlurDown(2, border="wrap")
    now = BlurDown(2, padding="circular")
    assert former.arguments["border"] == "wrap" and "padding" not in former.arguments
    assert now.arguments["padding"] == "circular" and "padding" not in BlurDown(2).arguments
    with pytest.warns(DeprecationWarning, match=r"Bicubic\(padding=...\)"):
        older = Bicubic(2, rim="replicate")
    assert older.padding == "replicate" and older.arguments["rim"] == "replicate"
    assert "padding" not in older.arguments and "padding" not in Bicubic(2).arguments
    hr = torch.rand(1, 3, 16, 16)
    (trace,) = former.sample(hr, [1])
    assert trace == now.sample(hr, [1])[0] and trace.params["border"] == "wrap"
    assert torch.equal(former.replay(hr, [trace]), now.replay(hr, [trace]))
