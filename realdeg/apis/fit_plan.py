"""Which camera to fit to given pairs, and how long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from realdeg.apis.guided import whole_or_centre
from realdeg.apis.photo_pairs import PhotoPairs
from realdeg.datasets import PairedFolderDataset

ONE_KERNEL, DML = "one kernel", "DML"
# Below so many LR pixels to learn from, more than one kernel is noise.
LEAST_PIXELS = 20_000
_FEW_PIXELS = 200_000
LEAST_ITERATIONS = 100
"""A DML that is trained for fewer iterations is worse than one kernel."""
MOST_ITERATIONS = 10_000
KERNEL = 15
RATE = 1e-3
LEAST_PATCH = 48
"""Side in HR pixels of the smallest patch that a DML is trained on."""
_PATCH = 96
_BATCH = 8
# Sides in HR pixels above which the centre of a held-out image is measured, and of a pair is used
# for least squares.
_LARGEST_HELD, _LARGEST_FITTED = 1024, 1536
# All pairs of so many megapixels are decoded once; beyond that, workers read them.
_CACHE_MB = 1024
_PATIENCE, _LEAST_GAIN = 5, 0.01


def least_squares(pairs: PhotoPairs, learn: Sequence[str], held: Sequence[str]) -> dict[str, Any]:
    """Return the config of one kernel for the whole camera, solved in closed form.

    Args:
        pairs: The pairs.
        learn: The names to learn from.
        held: The names to measure on.
    """
    return {
        **_common(pairs, held),
        "batch_size": 1,
        "degradation": dict(type="GlobalKernel", kernel_size=KERNEL),
        "train_dataloader": dict(
            num_workers=0,
            persistent_workers=False,
            sampler=dict(type="EvalSampler"),
            dataset=pairs.config(
                learn, whole_or_centre(pairs.sizes_of(learn), pairs.scale, _LARGEST_FITTED)
            ),
        ),
        "train_cfg": dict(type="ClosedFormLoop"),
    }


def mixture_of_kernels(
    pairs: PhotoPairs,
    learn: Sequence[str],
    held: Sequence[str],
    *,
    accelerated: bool,
    iterations: int,
    interval: int,
    seconds: float,
    rate: float = RATE,
) -> dict[str, Any]:
    """Return the config of a DML.

    Its bases start as a bank of Gaussians that keep their sums, and its weights at 1 / N, so that
    the image is as bright as HR at first. With weights that sum to 1 (softmax) the field flattens
    within a hundred iterations on some pairs; free ones also follow differences of brightness. The
    rate rises from nothing, and a run that collapses to one kernel all the same ends at once. The
    images have room for patches (:func:`patch_side`).

    Args:
        pairs: The pairs.
        learn: The names to learn from.
        held: The names to measure on.
        accelerated: Whether it trains on an accelerator, which affords a wider network.
        iterations: The planned number of iterations.
        interval: The number of iterations between validations.
        seconds: After which the run ends, even if fewer iterations are done.
        rate: The learning rate.
    """
    pixels = pairs.lr_pixels(learn)
    cached = sum(3e-6 * pairs.sizes[name][0] * pairs.sizes[name][1] for name in learn)
    cached *= 1 + 1 / pairs.stride**2
    fits = cached < _CACHE_MB
    planned = schedule(rate, iterations, interval, seconds)
    planned["default_hooks"]["outputs"] = dict(type="OutputsHook", stop_when_collapsed=True)
    return {
        **_common(pairs, held),
        "patch_size": patch_side(pairs, learn),
        "batch_size": _BATCH,
        "flip": dict(horizontal=True, vertical=True, transpose=False),
        "degradation": dict(
            type="DML",
            num_kernels=8 if pixels >= _FEW_PIXELS else 4,
            kernel_size=KERNEL,
            width=32 if accelerated else 16,
            levels=3 if accelerated else 2,
            activation="sigmoid",
            init="gaussian_bank",
            renormalise=True,
        ),
        "train_dataloader": dict(
            num_workers=0 if fits else 2,
            persistent_workers=not fits,
            dataset={
                **pairs.config(
                    learn, [dict(type="PairedCrop"), dict(type="Flip"), dict(type="PackSample")]
                ),
                "cache_mb": _CACHE_MB if fits else 256,
            },
        ),
        **planned,
    }


def patch_side(pairs: PhotoPairs, learn: Sequence[str]) -> int:
    """Return the side of a DML's patches in HR pixels; 0 if the images are too small for any.

    Args:
        pairs: The pairs.
        learn: The names to learn from.
    """
    least = min(min(size) for size in pairs.sizes_of(learn))
    patch = min(_PATCH, least) // (4 * pairs.stride) * (4 * pairs.stride)
    return patch if patch >= LEAST_PATCH else 0


def held_out(pairs: PhotoPairs, names: Sequence[str]) -> PairedFolderDataset:
    """Return the held-out pairs as tensors, as validations see them.

    Args:
        pairs: The pairs.
        names: The names that are held out.
    """
    transforms = whole_or_centre(pairs.sizes_of(names), pairs.scale, _LARGEST_HELD)
    return pairs.data_set(names, transforms)


def schedule(rate: float, iterations: int, interval: int, seconds: float) -> dict[str, Any]:
    """Return optimiser, schedule and hooks of a run that keeps its best and ends in time.

    Args:
        rate: Adam's learning rate, reached after a twentieth of the run; from there it falls to a
            hundredth along a cosine.
        iterations: The planned number of iterations.
        interval: The number of iterations between validations.
        seconds: After which the run ends, even if fewer iterations are done.
    """
    warm = max(iterations // 20, 1)
    return {
        "optim_wrapper": dict(
            type="OptimWrapper", optimizer=dict(type="Adam", lr=rate, betas=[0.9, 0.999])
        ),
        "param_scheduler": [
            dict(type="LinearLR", by_epoch=False, start_factor=0.01, begin=0, end=warm),
            dict(type="CosineAnnealingLR", by_epoch=False, eta_min=rate / 100, begin=warm),
        ],
        "train_cfg": dict(type="IterTrainLoop", max_iters=iterations, val_interval=interval),
        "default_hooks": dict(
            # The pairs were judged before.
            alignment=None,
            logger=dict(type="ProgressHook", interval=max(interval // 2, 1)),
            checkpoint=dict(type="SaveCheckpointHook", interval=interval, save_best="psnr"),
        ),
        "custom_hooks": [
            dict(type="EarlyStopHook", metric="psnr", patience=_PATIENCE, min_gain=_LEAST_GAIN),
            dict(type="TimeLimitHook", seconds=round(max(seconds, 1.0), 1)),
        ],
    }


def _common(pairs: PhotoPairs, held: Sequence[str]) -> dict[str, Any]:
    transforms = whole_or_centre(pairs.sizes_of(held), pairs.scale, _LARGEST_HELD)
    loader = dict(batch_size=1, num_workers=0, dataset=pairs.config(held, transforms))
    evaluator = dict(
        type="Evaluator",
        metrics=[dict(type="ImageQuality", protocol="lr-fidelity", metrics=["psnr", "ssim"])],
    )
    return {
        "default_scope": "realdeg",
        "scale": pairs.scale,
        "same_size": pairs.same_size,
        "model": dict(type="DegradationLearning", loss=dict(type="MSELoss")),
        "val_dataloader": loader,
        "val_evaluator": evaluator,
        "test_dataloader": loader,
        "test_evaluator": evaluator,
        "default_hooks": dict(alignment=None),
    }
