"""Video codecs: planes against a slow loop, packets against FFmpeg's own containers."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch

from realdeg import create_degradation
from realdeg.degradations import Trace
from realdeg.degradations.primitives import video as module
from realdeg.degradations.primitives.video import VIDEO_FORMATS, VideoFormat, video
from realdeg.errors import ConfigError, DataError
from realdeg.utils import extras
from realdeg.utils.colour import one_channel_is_grey, rgb_to_y
from tests.degradations.conftest import needs_package
from tests.degradations.statistics import assert_equally_likely, assert_shares

CODECS = tuple(VIDEO_FORMATS)
LUMA = (65.481, 128.553, 24.966)
CB = (-37.797, -74.203, 112.0)
CR = (112.0, -93.786, -18.214)


@pytest.fixture
def av():
    return needs_package("VideoCodec")


def picture(height: int = 48, width: int = 64, seed: int = 0) -> torch.Tensor:
    """Return colours that change slowly, with an edge, shape (1, 3, H, W)."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 5, 5, generator=generator)
    image = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    image[..., width // 2 :] *= 0.5
    return image


def test_planes_against_a_loop():
    rgb = picture(34, 36, seed=1)[0]
    frame = module._frame(rgb)
    assert frame.shape == (51, 36) and frame.dtype == np.uint8
    values = rgb.double().numpy()
    wanted = np.empty((34, 36))
    chroma = np.empty((2, 34, 36))
    for row, column in np.ndindex(34, 36):
        pixel = values[:, row, column]
        wanted[row, column] = 16 + np.dot(LUMA, pixel)
        chroma[:, row, column] = 128 + np.dot(CB, pixel), 128 + np.dot(CR, pixel)
    means = chroma.reshape(2, 17, 2, 18, 2).mean((2, 4))
    flat = np.concatenate([wanted.ravel(), means.ravel()])
    # Half a level is rounding; the rest is float32 beside float64.
    assert np.abs(frame.ravel() - flat).max() <= 0.5 + 1e-4


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (17, 32), (33, 31), (2, 90)])
def test_padding_repeats_the_border_up_to_an_even_size(size):
    rgb = picture(*size)[0]
    height, width = (max(16, side + side % 2) for side in size)
    frame = module._frame(rgb)
    assert frame.shape == (height * 3 // 2, width)
    luma = frame[:height]
    assert (luma[size[0] :] == luma[size[0] - 1]).all()
    assert (luma[:, size[1] :] == luma[:, size[1] - 1 : size[1]]).all()


def test_colours_come_back():
    rows, columns = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    ramps = torch.stack((rows, columns, 63 - (rows + columns) / 2)) * 3 / 255
    again = module._image(module._frame(ramps))
    torch.testing.assert_close(again.mul(255).round().div(255), again)
    # Rounding of Y, of chroma, whose levels count for up to 2 of blue, and of the result.
    assert (again - ramps)[:, 1:-1, 1:-1].abs().max() < 2.1 / 255
    plain = torch.full((3, 32, 32), 128 / 255)
    assert (module._image(module._frame(plain)) - plain).abs().max() <= 1 / 255 + 1e-6


@pytest.mark.parametrize("codec", CODECS)
def test_equal_to_a_file_that_ffmpeg_reads(av, codec):
    """A video in a container, decoded as any player does, has the same pixels."""
    frame = module._frame(picture()[0])
    content = io.BytesIO()
    words = {"q": 24, "lambda": 24 * 118}
    names = VIDEO_FORMATS[codec]
    with av.open(content, "w", format="matroska") as file:
        options = {key: value.format(**words) for key, value in names.options.items()}
        stream = file.add_stream(names.encoder, rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="yuv420p")))
        file.mux(stream.encode(None))
    content.seek(0)
    with av.open(content) as file:
        (shown,) = file.decode(video=0)
        assert shown.key_frame
        np.testing.assert_array_equal(module._round_trip(frame, codec, 24), shown.to_ndarray())


@pytest.mark.parametrize("codec", CODECS)
def test_better_quality_is_closer(av, codec):
    image = picture(64, 64)
    # What 4:2:0 and 8 bit leave of it.
    wanted = module._image(module._frame(image[0]))
    best, worst = VIDEO_FORMATS[codec].range
    qualities = [best, best + (worst - best) // 3, worst]
    errors = [float((video(image, [codec], [q])[0] - wanted).abs().mean()) for q in qualities]
    assert errors[0] < errors[1] < errors[2]
    assert errors[0] < 0.004 and errors[2] > 0.01
    if codec in ("h264", "vp9"):
        assert errors[0] == 0, "the best quality of these loses nothing"


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (16, 16), (33, 31), (2, 90)])
def test_any_size(av, codec, size):
    image = picture(96, 200)[..., 20 : 20 + size[0], 3 : 3 + size[1]]
    before = image.clone()
    made = video(image, [codec], [12])
    assert made.shape == image.shape and made.dtype == torch.float32
    assert torch.equal(image, before)
    assert torch.equal(made.mul(255).round().div(255), made)
    assert (made - image).abs().mean() < 0.1
    assert torch.equal(video(image, [codec], [12]), made)


def test_each_image_of_a_batch_has_its_own_codec(av):
    batch = torch.cat([picture(seed=seed) for seed in range(5)])
    qualities = [30, 28, 40, 9, 14]
    together = video(batch, CODECS, qualities)
    for index, (codec, quality) in enumerate(zip(CODECS, qualities, strict=True)):
        alone = video(batch[index : index + 1], [codec], [quality])
        assert torch.equal(together[index : index + 1], alone)
    assert video(batch[:0], [], []).shape == (0, 3, 48, 64)


@pytest.mark.parametrize("codec", CODECS)
def test_luma_and_grey_are_those_of_the_grey_picture(av, codec):
    grey = picture()[:, :1]
    colour = video(grey.expand(-1, 3, -1, -1), [codec], [20])
    assert torch.equal(colour[:, :1].expand(-1, 3, -1, -1), colour), "no colours appear"
    luma = video(rgb_to_y(grey.expand(-1, 3, -1, -1)), [codec], [20])
    # Luma is rounded as it lies between two levels of a grey picture.
    torch.testing.assert_close(luma, rgb_to_y(colour), atol=1e-5, rtol=0)
    with one_channel_is_grey():
        torch.testing.assert_close(video(grey, [codec], [20]), colour[:, :1], atol=1e-6, rtol=0)


def test_values_beyond_the_range_and_no_numbers(av):
    image = torch.zeros(1, 3, 32, 32)
    image[..., :16, :16], image[..., :16, 16:] = -1.0, 2.0
    image[..., 16:, :16], image[..., 16:, 16:] = float("nan"), float("inf")
    made = video(image, ["h264"], [0])
    assert made.min() >= 0 and made.max() <= 1
    assert made[0, :, 4, 4].eq(0).all() and made[0, :, 4, 28].eq(1).all()


def test_draws(av):
    ranges = {"h264": (20, 29), "hevc": (0, 4), "vp9": (62, 63), "mpeg2": (30, 31), "mpeg4": (1, 8)}
    made = create_degradation({"type": "VideoCodec", **ranges}, 1)
    drawn = [made.sample_one((3, 8, 8), seed).params for seed in range(4000)]
    assert_equally_likely([one["codec"] for one in drawn], CODECS)
    for codec, (best, worst) in ranges.items():
        found = [one["quality"] for one in drawn if one["codec"] == codec]
        assert_shares(found, dict.fromkeys(range(best, worst + 1), 1.0))
    only = create_degradation({"type": "VideoCodec", "codecs": ["vp9"], "vp9": 40}, 1)
    few = [only.sample_one((3, 8, 8), seed).params for seed in range(50)]
    assert {(one["codec"], one["quality"]) for one in few} == {("vp9", 40)}


def test_batches_replay_what_each_image_drew(av):
    made = create_degradation("VideoCodec", 2)
    hr = torch.cat([picture(seed=seed) for seed in range(6)])
    traces = [Trace.from_json(one.to_json()) for one in made.sample(hr, range(6))]
    small = create_degradation("Bicubic", 2)(hr)
    drawn = [(trace.params["codec"], trace.params["quality"]) for trace in traces]
    assert torch.equal(made(hr, range(6)), video(small, *zip(*drawn, strict=True)))
    assert torch.equal(made.replay(hr, traces), made(hr, range(6)))


@pytest.mark.parametrize(
    "wrong",
    [
        dict(codecs=()),
        dict(codecs=("av1",)),
        dict(h264=52),
        dict(vp9=(0, 64)),
        dict(mpeg2=0),
        dict(mpeg4=(20, 2)),
        dict(hevc=20.5),
    ],
)
def test_refusals(wrong):
    with pytest.raises(ConfigError, match=f"VideoCodec: {next(iter(wrong))}"):
        create_degradation({"type": "VideoCodec", **wrong})


def test_a_trace_of_another_range_is_refused(av):
    made, hr = create_degradation("VideoCodec", 1), picture()
    for wrong, match in (
        (dict(codec="h264", quality=60), "'quality' of h264 is from 0 to 51, found 60"),
        (dict(codec="mpeg2", quality=0), "'quality' of mpeg2 is from 1 to 31, found 0"),
        (dict(codec="av1", quality=20), "'codec'"),
        (dict(codec="vp9", quality=20.5), "'quality'"),
    ):
        (trace,) = made.sample(hr, [0])
        with pytest.raises(DataError, match=match):
            made.replay(hr, [Trace(trace.type, {**trace.params, **wrong}, trace.size)])


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda x: video(x[0], ["h264"], [20]), "B, C, H, W"),
        (lambda x: video(x, [], []), "0 codecs and 0 qualities"),
        (lambda x: video(x, ["av1"], [20]), "h264, hevc, vp9, mpeg2, mpeg4"),
        (lambda x: video(x, ["mpeg4"], [0]), "from 1 to 31, got 0"),
        (lambda x: video(x, ["vp9"], [20.5]), "whole number"),
    ],
)
def test_the_function_refuses(call, match):
    with pytest.raises(ValueError, match=match):
        call(picture())


def test_a_missing_package_is_named(monkeypatch):
    def absent(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(extras, "import_module", absent)
    with pytest.raises(ConfigError, match=r"needs the package av.*pip install 'realdeg\[video\]'"):
        create_degradation("VideoCodec")


def test_a_build_without_a_codec_is_named(av, monkeypatch):
    monkeypatch.setitem(module.VIDEO_FORMATS, "hevc", VideoFormat("libx266", "hevc", (0, 51)))
    with pytest.raises(ConfigError, match=r"codec hevc needs FFmpeg's libx266.*other codecs"):
        create_degradation("VideoCodec")
    create_degradation({"type": "VideoCodec", "codecs": ["h264", "vp9"]})


def test_what_an_encoder_refuses_is_named(av, monkeypatch):
    broken = VideoFormat("libx264", "h264", (0, 51), {"preset": "no such preset"})
    monkeypatch.setitem(module.VIDEO_FORMATS, "h264", broken)
    with pytest.raises(DataError, match=r"h264 \(libx264\) refuses an image of 48 x 64 pixels"):
        video(picture(), ["h264"], [20])
