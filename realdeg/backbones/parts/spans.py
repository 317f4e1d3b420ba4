"""Receptive fields as spans of pixels, traced back through layers by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

Span = tuple[int, int]
"""First and last pixel along one axis, both included."""


def conv_span(span: Span, kernel: int, stride: int = 1, padding: int | None = None) -> Span:
    """Return the input pixels that a convolution reads; ``padding`` None means kernel // 2."""
    pad = kernel // 2 if padding is None else padding
    return span[0] * stride - pad, span[1] * stride - pad + kernel - 1


def deconv_span(span: Span, kernel: int, stride: int, padding: int) -> Span:
    """Return the input pixels that a transposed convolution reads; ``padding`` crops its output."""
    return -(-(span[0] + padding - kernel + 1) // stride), (span[1] + padding) // stride


def shuffle_span(span: Span, factor: int) -> Span:
    """Return the input pixels that a pixel shuffle reads for output pixels."""
    return span[0] // factor, span[1] // factor


def bicubic_span(span: Span, ratio: Fraction, radius: int = 2) -> Span:
    """Return the input pixels that antialiased interpolation reads for output pixels.

    Args:
        span: Output pixels.
        ratio: Output over input size.
        radius: The kernel's radius: 2 bicubic, 1 bilinear.
    """
    wide = radius / min(ratio, Fraction(1))
    first, last = ((Fraction(pixel) + Fraction(1, 2)) / ratio - Fraction(1, 2) for pixel in span)
    # A tap exactly at the radius has weight 0.
    return math.floor(first - wide) + 1, math.ceil(last + wide) - 1


def union(*spans: Span) -> Span:
    """Return the span that covers several branches."""
    return min(span[0] for span in spans), max(span[1] for span in spans)


def halo_of(trace: Callable[[Span], Span], scale: int, multiple: int = 1) -> int:
    """Return the receptive-field radius in LR pixels.

    Args:
        trace: Traces a span of output pixels back to LR pixels.
        scale: Output over input size.
        multiple: Side in LR pixels of the blocks that the network works on.
    """
    radii = [0]
    for pixel in range(multiple):
        for phase in range(scale):
            output = pixel * scale + phase
            first, last = trace((output, output))
            radii += [pixel - first, last - pixel]
    return max(radii)
