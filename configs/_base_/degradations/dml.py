# Xiao, Yong, Zhang, ACCV 2020, read literally: N bases of 15 x 15, at the start random with sum 1.
degradation = dict(
    type="DML",
    num_kernels=8,
    kernel_size=15,
    width=64,
    levels=4,
    activation="sigmoid",
    init="random",
)
