# Setting 1 in small.
_base_ = "../danv1/danv1_t91_x2_cpu.py"
backbone = dict(
    type="DANv2",
    num_features=16,
    num_blocks=2,
    num_groups=2,
    rounds=2,
    estimator_features=16,
    estimator_blocks=2,
)
