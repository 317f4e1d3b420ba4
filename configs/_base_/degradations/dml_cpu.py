# For two CPU cores: a narrow network, bases that start as Gaussians and weights that keep the
# brightness at step 0. The literal start is N/2 times too bright and loses its first thousand
# iterations to that.
degradation = dict(
    type="DML",
    num_kernels=8,
    kernel_size=15,
    width=16,
    levels=2,
    activation="sigmoid",
    init="gaussian_bank",
)
