"""Device code of ``kernel_apply``; its launchers are in ``realdeg.ops.triton.kernel_apply``."""

# Device code has no type annotations but tl.constexpr: its arguments are Triton's.
# mypy: disable-error-code="no-untyped-def"
# ruff: noqa: ANN001, ANN201, ANN202

from __future__ import annotations

from realdeg.ops.triton.common import gradient_windows, jit, tile_pixels, tl, window_taps


@jit
def mix_bases(weights, weights_m, pixels, inside, bases, bases_m, taps, taken,
         M: tl.constexpr, BASES: tl.constexpr, PIXELS: tl.constexpr, TAPS: tl.constexpr,
         INDEX: tl.constexpr, PRECISION: tl.constexpr, HALF: tl.constexpr):  # fmt: skip
    """Mix the bases into the kernels of some pixels: (PIXELS, TAPS) in float32."""
    kernels = tl.zeros((PIXELS, TAPS), tl.float32)
    for m0 in range(0, M, BASES):
        m = m0 + tl.arange(0, BASES)
        w = tl.load(
            weights + m.to(INDEX)[None, :] * weights_m + pixels[:, None],
            mask=inside[:, None] & (m < M)[None, :],
            other=0.0,
        )
        phi = tl.load(
            bases + m[:, None] * bases_m + taps[None, :],
            mask=(m < M)[:, None] & taken[None, :],
            other=0.0,
        )
        if not HALF:
            w, phi = w.to(tl.float32), phi.to(tl.float32)
        kernels = tl.dot(w, phi, kernels, input_precision=PRECISION)
    return kernels


@jit
def forward(
    out, out_b, out_c, out_y, out_x,
    padded, padded_b, padded_c, padded_y, padded_x,
    weights, weights_b, weights_m, weights_y, weights_x,
    bases, bases_b, bases_m, bases_y, bases_x,
    height, width,
    C: tl.constexpr, M: tl.constexpr, K: tl.constexpr, STRIDE: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, TAPS: tl.constexpr, BASES: tl.constexpr,
    CHANNELS: tl.constexpr, INDEX: tl.constexpr, PRECISION: tl.constexpr, HALF: tl.constexpr,
):  # fmt: skip
    """Apply the mixed kernels of a tile of pixels to the channels, TAPS taps at a time."""
    PIXELS: tl.constexpr = ROWS * COLUMNS
    CHUNKS: tl.constexpr = (C + CHANNELS - 1) // CHANNELS
    tiles = tl.cdiv(height, ROWS) * tl.cdiv(width, COLUMNS)
    program = tl.program_id(0)
    first = (program // tiles) % CHUNKS * CHANNELS
    sample = (program // (tiles * CHUNKS)).to(tl.int64)
    row, column, inside = tile_pixels(program % tiles, height, width, ROWS, COLUMNS)
    row, column = row.to(INDEX), column.to(INDEX)
    corner = row * (STRIDE * padded_y) + column * (STRIDE * padded_x)
    pixels = row * weights_y + column * weights_x

    channel = tl.arange(0, CHANNELS)
    total = tl.zeros((PIXELS, CHANNELS), tl.float32)
    for start in range(0, K * K, TAPS):
        dy, dx, taken = window_taps(start, K, TAPS)
        kernels = mix_bases(
            weights + sample * weights_b, weights_m, pixels, inside,
            bases + sample * bases_b, bases_m, dy * bases_y + dx * bases_x, taken,
            M, BASES, PIXELS, TAPS, INDEX, PRECISION, HALF,
        )  # fmt: skip
        taps = corner[:, None] + (dy.to(INDEX) * padded_y + dx * padded_x)[None, :]
        for c in tl.static_range(CHANNELS if CHANNELS < C else C):
            # The last block's surplus channels repeat the last one and are not stored.
            offset = tl.minimum(first + c, C - 1).to(tl.int64)
            x = tl.load(
                padded + sample * padded_b + offset * padded_c + taps,
                mask=inside[:, None] & taken[None, :],
                other=0.0,
            )
            part = tl.sum(kernels * x.to(tl.float32), 1)
            total += tl.where((channel == c)[None, :], part[:, None], 0.0)
    channel += first
    tl.store(
        out + sample * out_b + channel.to(tl.int64)[None, :] * out_c
        + (row * out_y + column * out_x)[:, None],
        total.to(out.dtype.element_ty),
        mask=inside[:, None] & (channel < C)[None, :],
    )  # fmt: skip


@jit
def backward_padded(
    out, out_b, out_c, out_y, out_x,
    grad, grad_b, grad_c, grad_y, grad_x,
    weights, weights_b, weights_m, weights_y, weights_x,
    bases, bases_b, bases_m, bases_y, bases_x,
    height, width, padded_height, padded_width,
    C: tl.constexpr, M: tl.constexpr, K: tl.constexpr, STRIDE: tl.constexpr,
    RUN: tl.constexpr, TAPS: tl.constexpr, BASES: tl.constexpr,
    CHANNELS: tl.constexpr, INDEX: tl.constexpr, PRECISION: tl.constexpr, HALF: tl.constexpr,
):  # fmt: skip
    """Compute the gradient of a run of padded pixels in one row."""
    # Padded pixels stride * i + r with the same r are only reached by taps r, r + stride, ..., like
    # a window of REACH taps and stride 1 on the output grid. A program computes a run of such
    # pixels in one row; their windows hold RUN outputs of each of REACH rows.
    REACH: tl.constexpr = (K + STRIDE - 1) // STRIDE
    MADE: tl.constexpr = RUN - REACH + 1
    CHUNKS: tl.constexpr = (C + CHANNELS - 1) // CHANNELS
    across = tl.cdiv(tl.cdiv(padded_width, STRIDE), MADE)
    program = tl.program_id(0)
    start = program % across * MADE
    program = program // across
    shift = program % STRIDE
    program = program // STRIDE
    y = program % padded_height
    program = program // padded_height
    first = program % CHUNKS * CHANNELS
    sample = (program // CHUNKS).to(tl.int64)

    lane = tl.arange(0, RUN)
    step = tl.arange(0, TAPS)
    dx = shift + STRIDE * step
    # The outputs to mix, and their position in the window of each computed pixel.
    output = start - (REACH - 1) + lane
    source = start + lane[:, None] - step[None, :]
    reached = (source >= 0) & (dx < K)[None, :] & (lane < MADE)[:, None]
    place = lane[:, None] - step[None, :] + (REACH - 1)
    place = tl.minimum(tl.maximum(place, 0), RUN - 1)

    channel = tl.arange(0, CHANNELS)
    total = tl.zeros((RUN, CHANNELS), tl.float32)
    for up in range(REACH):
        dy = y % STRIDE + STRIDE * up
        row = y // STRIDE - up
        # A window row beyond the kernel has no taps, an output row beyond the image no columns.
        window = tl.where(dy < K, K, 0)
        limit = tl.where((dy < K) & (row >= 0) & (row < height), width, 0)
        kernels = mix_bases(
            weights + sample * weights_b, weights_m,
            row.to(INDEX) * weights_y + output.to(INDEX) * weights_x,
            (output >= 0) & (output < limit),
            bases + sample * bases_b, bases_m, dy * bases_y + dx * bases_x, dx < window,
            M, BASES, RUN, TAPS, INDEX, PRECISION, HALF,
        )  # fmt: skip
        # Kernels are ordered by output; each pixel needs those of the outputs that it reaches.
        kernels = tl.gather(kernels, place, 0)
        # Masked explicitly: an infinite weight elsewhere times a gradient of 0 is NaN.
        used = reached & (source < limit)
        kernels = tl.where(used, kernels, 0.0)
        for c in tl.static_range(CHANNELS if CHANNELS < C else C):
            # The last block's surplus channels repeat the last one and are not stored.
            offset = tl.minimum(first + c, C - 1).to(tl.int64)
            g = tl.load(
                grad + sample * grad_b + offset * grad_c
                + row.to(INDEX) * grad_y + source.to(INDEX) * grad_x,
                mask=used,
                other=0.0,
            )  # fmt: skip
            part = tl.sum(kernels * g.to(tl.float32), 1)
            total += tl.where((channel == c)[None, :], part[:, None], 0.0)
    channel += first
    x = (start + lane) * STRIDE + shift
    tl.store(
        out + sample * out_b + channel.to(tl.int64)[None, :] * out_c
        + (y.to(INDEX) * out_y + x.to(INDEX) * out_x)[:, None],
        total.to(out.dtype.element_ty),
        mask=((lane < MADE) & (x < padded_width))[:, None] & (channel < C)[None, :],
    )  # fmt: skip


@jit
def backward_weights(
    out, out_b, out_m, out_y, out_x,
    grad, grad_b, grad_c, grad_y, grad_x,
    padded, padded_b, padded_c, padded_y, padded_x,
    bases, bases_b, bases_m, bases_y, bases_x,
    height, width,
    C: tl.constexpr, M: tl.constexpr, K: tl.constexpr, STRIDE: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, TAPS: tl.constexpr, BASES: tl.constexpr,
    INDEX: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Multiply a tile's gradient windows with the bases."""
    PIXELS: tl.constexpr = ROWS * COLUMNS
    BLOCKS: tl.constexpr = (M + BASES - 1) // BASES
    tiles = tl.cdiv(height, ROWS) * tl.cdiv(width, COLUMNS)
    program = tl.program_id(0)
    m = (program // tiles) % BLOCKS * BASES + tl.arange(0, BASES)
    sample = (program // (tiles * BLOCKS)).to(tl.int64)
    row, column, inside = tile_pixels(program % tiles, height, width, ROWS, COLUMNS)
    row, column = row.to(INDEX), column.to(INDEX)
    corner = row * (STRIDE * padded_y) + column * (STRIDE * padded_x)

    total = tl.zeros((PIXELS, BASES), tl.float32)
    for start in range(0, K * K, TAPS):
        dy, dx, taken = window_taps(start, K, TAPS)
        mixed = gradient_windows(
            grad + sample * grad_b, grad_c, row * grad_y + column * grad_x, inside,
            padded + sample * padded_b, padded_c,
            corner[:, None] + (dy.to(INDEX) * padded_y + dx * padded_x)[None, :], taken,
            C, PIXELS, TAPS,
        )  # fmt: skip
        phi = tl.load(
            bases + sample * bases_b + m[None, :] * bases_m
            + (dy * bases_y + dx * bases_x)[:, None],
            mask=taken[:, None] & (m < M)[None, :],
            other=0.0,
        )  # fmt: skip
        total = tl.dot(mixed, phi.to(tl.float32), total, input_precision=PRECISION)
    tl.store(
        out + sample * out_b + m.to(INDEX)[None, :] * out_m
        + (row * out_y + column * out_x)[:, None],
        total.to(out.dtype.element_ty),
        mask=inside[:, None] & (m < M)[None, :],
    )  # fmt: skip


@jit
def backward_bases(
    out, out_s, out_m, out_t,
    grad, grad_b, grad_c, grad_y, grad_x,
    padded, padded_b, padded_c, padded_y, padded_x,
    weights, weights_b, weights_m, weights_y, weights_x,
    height, width, slots, samples,
    C: tl.constexpr, M: tl.constexpr, K: tl.constexpr, STRIDE: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, TAPS: tl.constexpr, BASES: tl.constexpr,
    INDEX: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Multiply weights with gradient windows over a slot's tiles."""
    # A slot sums every slots-th tile of its group of samples: all samples, or one for per-sample
    # bases.
    PIXELS: tl.constexpr = ROWS * COLUMNS
    BLOCKS: tl.constexpr = (M + BASES - 1) // BASES
    PARTS: tl.constexpr = (K * K + TAPS - 1) // TAPS
    tiles = tl.cdiv(height, ROWS) * tl.cdiv(width, COLUMNS)
    program = tl.program_id(0)
    # Programs of the same pixels are adjacent, so that they share the image in the cache.
    start = program % PARTS * TAPS
    m = (program // PARTS) % BLOCKS * BASES + tl.arange(0, BASES)
    place = program // (PARTS * BLOCKS)
    dy, dx, taken = window_taps(start, K, TAPS)
    offsets = (dy.to(INDEX) * padded_y + dx * padded_x)[None, :]

    total = tl.zeros((BASES, TAPS), tl.float32)
    for number in range(place % slots, tiles * samples, slots):
        sample = (place // slots * samples + number // tiles).to(tl.int64)
        row, column, inside = tile_pixels(number % tiles, height, width, ROWS, COLUMNS)
        row, column = row.to(INDEX), column.to(INDEX)
        corner = row * (STRIDE * padded_y) + column * (STRIDE * padded_x)
        mixed = gradient_windows(
            grad + sample * grad_b, grad_c, row * grad_y + column * grad_x, inside,
            padded + sample * padded_b, padded_c, corner[:, None] + offsets, taken,
            C, PIXELS, TAPS,
        )  # fmt: skip
        w = tl.load(
            weights + sample * weights_b + m.to(INDEX)[:, None] * weights_m
            + (row * weights_y + column * weights_x)[None, :],
            mask=(m < M)[:, None] & inside[None, :],
            other=0.0,
        )  # fmt: skip
        total = tl.dot(w.to(tl.float32), mixed, total, input_precision=PRECISION)
    tap = start + tl.arange(0, TAPS)
    tl.store(
        out + place.to(tl.int64) * out_s + m[:, None] * out_m + tap[None, :] * out_t,
        total,
        mask=(m < M)[:, None] & taken[None, :],
    )
