"""Video compression as a degradation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from annotated_types import Interval, MinLen
from torch import Tensor

from realdeg.degradations.base import Scale
from realdeg.degradations.primitives.video import VIDEO_FORMATS, check_video_codec, video
from realdeg.degradations.reduced import ReducedDegradation
from realdeg.degradations.trace import Trace, TraceParams
from realdeg.errors import DataError
from realdeg.registry import DEGRADATIONS
from realdeg.utils.argument_types import Ascending
from realdeg.utils.streams import stream_seed

Codec = Literal["h264", "hevc", "vp9", "mpeg2", "mpeg4"]
CRF = Annotated[int | tuple[int, int], Ascending(), Interval(ge=0, le=51)]
CRFOfVP9 = Annotated[int | tuple[int, int], Ascending(), Interval(ge=0, le=63)]
Quantiser = Annotated[int | tuple[int, int], Ascending(), Interval(ge=1, le=31)]


@dataclass(frozen=True)
class VideoCodecParams(TraceParams):
    """The drawn settings.

    Args:
        codec: The codec.
        quality: Its crf or quantiser; lower is better.
    """

    codec: Codec
    quality: Annotated[int, Interval(ge=0, le=63)]


@DEGRADATIONS.register_module()
class VideoCodec(ReducedDegradation):
    """Compresses as the key frame of a video, by a codec and at a quality drawn for each image.

    Needs PyAV (``pip install 'realdeg[video]'``), whose wheels contain FFmpeg and its encoders.

    Draws: the codec, each equally likely; its quality, uniformly among the whole numbers of the
    codec's range. Applies: bicubic reduction, then encoding in 4:2:0 and decoding. A single image
    has no motion, so what a codec does to later frames of a video is not imitated.

    Args:
        scale: Downscaling factor, applied first.
        same_size: Whether the result is upsampled back to the HR grid.
        codecs: Codecs to choose from: ``"h264"`` (x264), ``"hevc"`` (x265), ``"vp9"`` (libvpx),
            ``"mpeg2"`` and ``"mpeg4"`` (MPEG-4 Part 2, as of DivX and Xvid).
        h264: (best, worst) crf, whole numbers from 0 to 51; one number fixes it.
        hevc: (best, worst) crf, whole numbers from 0 to 51; one number fixes it.
        vp9: (best, worst) crf, whole numbers from 0 to 63; one number fixes it.
        mpeg2: (best, worst) quantiser, FFmpeg's qscale, whole numbers from 1 to 31; one number
            fixes it.
        mpeg4: The same for MPEG-4.

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.

    Raises:
        ConfigError: If an argument is out of range, PyAV is not installed, or its FFmpeg was built
            without one of the codecs.

    Source:
        The codecs and ranges of wtp_dataset_destroyer (umzi2, ``instructions/compress.md``, commit
        ec42ce6), which runs the program ffmpeg.
    """

    unstated = ()

    differentiable = False
    reach = 64  # side of the largest block of HEVC and VP9; prediction reaches further, but weakly

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        codecs: Annotated[Sequence[Codec], MinLen(1)] = ("h264", "hevc", "vp9", "mpeg2", "mpeg4"),
        h264: CRF = (23, 32),
        hevc: CRF = (20, 34),
        vp9: CRFOfVP9 = (20, 35),
        mpeg2: Quantiser = (2, 20),
        mpeg4: Quantiser = (2, 20),
    ) -> None:
        super().__init__(scale, same_size)
        self.codecs = tuple(codecs)
        given = {"h264": h264, "hevc": hevc, "vp9": vp9, "mpeg2": mpeg2, "mpeg4": mpeg4}
        self.qualities = {
            name: (value, value) if isinstance(value, int) else tuple(value)
            for name, value in given.items()
        }
        for codec in self.codecs:
            check_video_codec(codec)

    def sample_one(self, size: tuple[int, int, int], seed: int) -> Trace:
        """Draw the codec and its quality."""
        rng = np.random.default_rng(stream_seed(seed, "video"))
        codec = self.codecs[int(rng.integers(len(self.codecs)))]
        best, worst = self.qualities[codec]
        drawn = VideoCodecParams(codec, int(rng.integers(best, worst + 1)))
        return Trace(type(self).__name__, {**self.trace_params(), **drawn.to_params()}, size)

    def develop(self, small: Tensor, traces: Sequence[Trace]) -> Tensor:
        """Compress and decompress each image."""
        drawn = [trace.read(VideoCodecParams) for trace in traces]
        for one in drawn:
            best, worst = VIDEO_FORMATS[one.codec].range
            if not best <= one.quality <= worst:
                raise DataError(
                    f"the trace of VideoCodec: 'quality' of {one.codec} is from {best} to {worst},"
                    f" found {one.quality}."
                )
        return video(small, [one.codec for one in drawn], [one.quality for one in drawn])
