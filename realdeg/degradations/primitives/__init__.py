"""Batched tensor functions that degradations are built from."""

from realdeg.degradations.primitives.borders import BORDERS, PADDINGS
from realdeg.degradations.primitives.camera import camera_matrix, process, unprocess
from realdeg.degradations.primitives.compression import jpeg, webp
from realdeg.degradations.primitives.differentiable_jpeg import differentiable_jpeg
from realdeg.degradations.primitives.field_position import field_position
from realdeg.degradations.primitives.filtering import filter_image, gaussian_blur, separable_filter
from realdeg.degradations.primitives.kernels import (
    centroid,
    delta_kernel,
    disk_kernel,
    gaussian_kernel,
    gaussian_kernel_from_variance,
    generalised_gaussian_kernel,
    make_kernel,
    motion_kernel,
    pad_kernel,
    plateau_kernel,
    second_moments,
    shift_kernel,
    shift_to_centroid,
    sinc_kernel,
)
from realdeg.degradations.primitives.mosaic import bayer_mosaic, demosaic
from realdeg.degradations.primitives.noise import (
    gaussian_noise,
    poisson_noise,
    shot_read_noise,
    speckle_noise,
    white_noise,
)
from realdeg.degradations.primitives.resample import MODES, resample, s_fold, sampling_offset
from realdeg.degradations.primitives.resize import imresize
from realdeg.degradations.primitives.sharpen import unsharp_mask
from realdeg.degradations.primitives.tone import (
    gamma_compress,
    gamma_expand,
    inverse_sigmoid_response,
    inverse_smoothstep,
    invert_curves,
    linear_to_srgb,
    sampled_response,
    sigmoid_response,
    smoothstep,
    srgb_to_linear,
)

__all__ = [
    "BORDERS",
    "PADDINGS",
    "MODES",
    "bayer_mosaic",
    "camera_matrix",
    "centroid",
    "delta_kernel",
    "demosaic",
    "differentiable_jpeg",
    "disk_kernel",
    "field_position",
    "filter_image",
    "gamma_compress",
    "gamma_expand",
    "gaussian_blur",
    "gaussian_kernel",
    "gaussian_kernel_from_variance",
    "gaussian_noise",
    "generalised_gaussian_kernel",
    "imresize",
    "inverse_sigmoid_response",
    "inverse_smoothstep",
    "invert_curves",
    "jpeg",
    "linear_to_srgb",
    "make_kernel",
    "motion_kernel",
    "pad_kernel",
    "plateau_kernel",
    "poisson_noise",
    "process",
    "resample",
    "s_fold",
    "sampled_response",
    "sampling_offset",
    "second_moments",
    "separable_filter",
    "shift_kernel",
    "shift_to_centroid",
    "shot_read_noise",
    "sigmoid_response",
    "sinc_kernel",
    "smoothstep",
    "speckle_noise",
    "srgb_to_linear",
    "unprocess",
    "unsharp_mask",
    "webp",
    "white_noise",
]
