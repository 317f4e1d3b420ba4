import numpy as np
import pytest
import torch

from realdeg.utils.image import read_image
from realdeg.visualization.degradations import degradation_comparison, degradation_preview


def drawn(path):
    """The picture, after checking that nothing touches its rim: no label is clipped."""
    picture = read_image(path)[..., :3]
    rim = [picture[0], picture[-1], picture[:, 0], picture[:, -1]]
    assert all((side == 255).all() for side in rim), "something is cut off"
    assert (picture < 100).any()
    return picture


def row(names, seed=0):
    hr = torch.rand(3, 64, 96, generator=torch.Generator().manual_seed(seed))
    made = {
        name: (hr[:, ::4, ::4], f"crop {30 + index}.00 dB, 0.900\nimage 33.00 dB")
        for index, name in enumerate(["bicubic", *names])
    }
    return dict(
        key="a long name of an image that goes on", hr=hr, real=hr[:, 1::4, 1::4], made=made
    )


@pytest.mark.parametrize("count", [1, 9])
def test_comparison(tmp_path, count):
    names = [f"degradation {index}" for index in range(count)]
    curve = (torch.linspace(0.1, 0.5, 7), torch.rand(7))
    kernels = {name: torch.randn(15, 15) for name in ("camera", *names)}
    plots = {
        f"what {index}|cycles per LR pixel|dB": dict.fromkeys(("camera", *names), curve)
        for index in range(3)
    }
    shown = [row(names), row(names, 1)]
    path = tmp_path / "all.png"
    drawn(degradation_comparison(names, shown, kernels, plots, path, title="A title"))
    path = tmp_path / "curves.png"
    drawn(degradation_comparison(names, [], kernels, plots, path, caption="pairs"))
    drawn(degradation_comparison(names, shown, {}, {}, tmp_path / "crops.png"))


def test_preview(tmp_path):
    hr = np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8)
    words = ["LR 15 x 22", *(f"step {index}: " + "word " * 15 for index in range(18))]
    samples = [(hr[::4, ::4], words), (hr[::4, ::4, :1], ["LR"])]
    path = tmp_path / "preview.png"
    picture = drawn(degradation_preview(hr, samples, path, words=["HR"], title="BSRGAN"))
    # The second row grows with its text.
    assert picture.shape[0] > 150 * (0.15 * 19 + 2 * 1.9)


def test_misuse_is_refused(tmp_path):
    with pytest.raises(ValueError, match="at least one degradation"):
        degradation_comparison([], [], {}, {}, tmp_path / "a.png")
    with pytest.raises(ValueError, match="something to draw"):
        degradation_comparison(["a"], [], {}, {}, tmp_path / "a.png")
