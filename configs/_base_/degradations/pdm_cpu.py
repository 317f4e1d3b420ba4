# For two CPU cores: narrow and shallow networks, first kernels that blur mildly instead of a box,
# and kernels that are held on the LR pixel, since a discriminator cannot see where they lie.
degradation = dict(
    type="PDM",
    kernel_width=24,
    kernel_blocks=2,
    noise_width=24,
    noise_blocks=2,
    centre_weight=1.0,
)
