"""Compression by real video codecs, through FFmpeg's libraries in PyAV (extra ``realdeg[video]``).

An image is one key frame of a video in 4:2:0. It never becomes a file: packets of the encoder go
straight to the decoder, so nothing else is ever decoded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, pad

from realdeg.errors import ConfigError, DataError
from realdeg.utils.colour import in_rgb, rgb_to_ycbcr, ycbcr_to_rgb
from realdeg.utils.extras import needed
from realdeg.utils.image import round_to_8_bit

_LAMBDA = 118  # FFmpeg's FF_QP2LAMBDA: its units for one step of a quantiser
_LEAST_SIDE = 16  # x265 refuses sides of 8 pixels and less


@dataclass(frozen=True)
class VideoFormat:
    """How FFmpeg is asked for a codec.

    Attributes:
        encoder: FFmpeg's name of the encoder.
        decoder: FFmpeg's name of the decoder.
        range: (best, worst) quality that the codec knows.
        options: Options of the encoder, ``{q}`` for the quality and ``{lambda}`` for the same in
            FFmpeg's units.
    """

    encoder: str
    decoder: str
    range: tuple[int, int]
    options: Mapping[str, str] = field(default_factory=dict)


# qscale means one fixed quantiser, whatever rate control would like.
_FIXED = {"flags": "+qscale", "global_quality": "{lambda}", "qmin": "{q}", "qmax": "{q}"}
VIDEO_FORMATS: Mapping[str, VideoFormat] = {
    "h264": VideoFormat("libx264", "h264", (0, 51), {"crf": "{q}"}),
    "hevc": VideoFormat(
        "libx265",
        "hevc",
        (0, 51),
        {"crf": "{q}", "x265-params": "pools=none:frame-threads=1:log-level=none"},
    ),
    "vp9": VideoFormat("libvpx-vp9", "vp9", (0, 63), {"crf": "{q}", "b": "0"}),
    "mpeg2": VideoFormat("mpeg2video", "mpeg2video", (1, 31), _FIXED),
    "mpeg4": VideoFormat("mpeg4", "mpeg4", (1, 31), _FIXED),
}
"""Codecs by the names that people use."""


def check_video_codec(codec: str) -> None:
    """Check that a codec can be used here.

    Args:
        codec: A key of :data:`VIDEO_FORMATS`.

    Raises:
        ConfigError: If PyAV is not installed, or its FFmpeg lacks the codec.
    """
    av, names = needed("av", "video", f"the video codec {codec}"), VIDEO_FORMATS[codec]
    for name, mode in ((names.encoder, "w"), (names.decoder, "r")):
        try:
            av.Codec(name, mode)
        except ValueError as error:  # av.codec.codec.UnknownCodecError
            raise ConfigError(
                f"the video codec {codec} needs FFmpeg's {name}, which the PyAV {av.__version__}"
                " installed here was built without: install one of PyAV's own wheels"
                f" (pip install --force-reinstall av), or use other codecs than {codec}."
            ) from error


def video(x: Tensor, codecs: Sequence[str], qualities: Sequence[int]) -> Tensor:
    """Compress each image as the key frame of a video and decompress it.

    RGB becomes YCbCr of BT.601 in studio range, whose chroma is the mean of 2 x 2 pixels and is
    interpolated linearly afterwards; each is rounded to 8 bit. Borders are repeated up to an even
    size of at least 16 x 16, and cropped again. Encoder and decoder use one thread, so that the
    result does not depend on their number. Another release of PyAV may contain other codecs and
    differ.

    Args:
        x: Images, clipped to [0, 1], shape (B, C, H, W) with C = 1 or 3; one channel is encoded
            without colour.
        codecs: Keys of :data:`VIDEO_FORMATS`, one per image.
        qualities: Lower is better, one per image: ``crf`` from 0 to 51 for h264 and hevc, from 0
            to 63 for vp9; the quantiser ``qscale`` from 1 to 31 for mpeg2 and mpeg4.

    Returns:
        float32 at 8-bit levels (luma is computed from them), on the device of ``x``, without a
        gradient.

    Raises:
        ValueError: If a codec is unknown, a quality out of range, or their number another.
        ConfigError: If PyAV is not installed, or its FFmpeg lacks the codec.
        DataError: If the codec refuses an image, because of its size for instance.
    """
    if x.ndim != 4 or x.shape[1] not in (1, 3):
        raise ValueError(f"video takes (B, C, H, W) with C = 1 or 3, got {tuple(x.shape)}")
    if not len(codecs) == len(qualities) == x.shape[0]:
        raise ValueError(
            f"{len(codecs)} codecs and {len(qualities)} qualities were given for {x.shape[0]}"
            " images"
        )
    for codec, quality in zip(codecs, qualities, strict=True):
        if codec not in VIDEO_FORMATS:
            raise ValueError(f"video codecs are {', '.join(VIDEO_FORMATS)}, got {codec!r}")
        best, worst = VIDEO_FORMATS[codec].range
        if int(quality) != quality or not best <= quality <= worst:
            raise ValueError(
                f"the quality of {codec} is a whole number from {best} to {worst}, got {quality}"
            )
        check_video_codec(codec)

    def compress(rgb: Tensor) -> Tensor:
        images = zip(rgb, codecs, qualities, strict=True)
        return torch.stack([_compressed(image, codec, int(q)) for image, codec, q in images])

    if not x.shape[0]:
        return x.detach().float()
    return in_rgb(x.detach().cpu().float().nan_to_num(0.0), compress).to(x.device)


def _compressed(rgb: Tensor, codec: str, quality: int) -> Tensor:
    """Compress one image (3, H, W) on the CPU."""
    height, width = rgb.shape[1:]
    decoded = _round_trip(_frame(rgb), codec, quality)
    return _image(decoded)[:, :height, :width]


def _frame(rgb: Tensor) -> np.ndarray:
    """Return 4:2:0 as PyAV takes it: Y, Cb and Cr one after the other in (H * 3 / 2, W) bytes."""
    height, width = rgb.shape[1:]
    bottom, right = (max(_LEAST_SIDE, side + side % 2) - side for side in (height, width))
    padded = pad(rgb[None].clamp(0, 1), (0, right, 0, bottom), mode="replicate")
    ycbcr = rgb_to_ycbcr(padded)
    parts = (ycbcr[:, :1], avg_pool2d(ycbcr[:, 1:], 2))
    levels = [round_to_8_bit(part).mul(255).round().to(torch.uint8).flatten() for part in parts]
    return torch.cat(levels).view(-1, width + right).numpy()


def _image(frame: np.ndarray) -> Tensor:
    """Invert :func:`_frame`, but for the padding: RGB, shape (3, H, W), at 8-bit levels."""
    height, width = frame.shape[0] * 2 // 3, frame.shape[1]
    levels = torch.from_numpy(frame).flatten().float().div_(255)
    luma, chroma = levels.split([height * width, height * width // 2])
    small = chroma.view(1, 2, height // 2, width // 2)
    large = interpolate(small, scale_factor=2, mode="bilinear", align_corners=False)
    ycbcr = torch.cat((luma.view(1, 1, height, width), large), 1)
    return round_to_8_bit(ycbcr_to_rgb(ycbcr)[0])


def _round_trip(frame: np.ndarray, codec: str, quality: int) -> np.ndarray:
    """Encode and decode one frame of 4:2:0."""
    av, names = needed("av", "video", f"the video codec {codec}"), VIDEO_FORMATS[codec]
    height, width = frame.shape[0] * 2 // 3, frame.shape[1]
    try:
        packets = _encoded(av, frame, names, quality)
        decoder = av.CodecContext.create(names.decoder, "r")
        decoder.thread_count = 1
        shown = [image for packet in (*packets, None) for image in decoder.decode(packet)]
    except av.error.FFmpegError as error:
        raise DataError(
            f"the video codec {codec} ({names.encoder}) refuses an image of {height} x {width}"
            f" pixels at quality {quality}: {error}."
        ) from error
    result: np.ndarray = shown[0].to_ndarray()
    return result


def _encoded(av: Any, frame: np.ndarray, names: VideoFormat, quality: int) -> list[Any]:
    """Return the packets of a video of one frame."""
    words = {"q": quality, "lambda": quality * _LAMBDA}
    encoder = av.CodecContext.create(names.encoder, "w")
    encoder.width, encoder.height = frame.shape[1], frame.shape[0] * 2 // 3
    encoder.pix_fmt, encoder.time_base, encoder.thread_count = "yuv420p", Fraction(1, 30), 1
    encoder.options = {key: value.format(**words) for key, value in names.options.items()}
    image = av.VideoFrame.from_ndarray(frame, format="yuv420p")
    image.pts = 0
    return [*encoder.encode(image), *encoder.encode(None)]
