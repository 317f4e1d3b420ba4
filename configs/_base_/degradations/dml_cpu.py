# For two CPU cores: a narrow network, bases that start as Gaussians, and kernels whose sums stay 1.
# The paper's literal start is N/2 times too bright and loses its first thousand iterations to
# that; free sums cost a short run half a decibel more, in slow drifts of brightness
# (docs/results.md).
degradation = dict(
    type="DML",
    num_kernels=8,
    kernel_size=15,
    width=16,
    levels=2,
    activation="softmax",
    init="gaussian_bank",
    renormalise=True,
)
