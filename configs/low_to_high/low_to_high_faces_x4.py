# Bulat, Yang, Tzimiropoulos, ECCV 2018, both GANs jointly: the network restores faces of 64 x 64
# pixels from what HighToLow makes of them, which resembles small faces of Widerface. 200 epochs of
# 64 (paper) over the 60,000 CelebA faces are 187,500 iterations.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/unpaired_faces.py",
    "../_base_/degradations/high_to_low.py",
    "../_base_/tasks/unpaired_super_resolution.py",
]
backbone = dict(type="LowToHigh")
val_evaluator = None
test_evaluator = None
__adam = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-4, betas=(0.0, 0.9)))
optim_wrapper = dict(
    constructor="MultiOptimizerConstructor",
    degradation_step=__adam,
    lr_discriminator_step=__adam,
    sr_discriminator_step=__adam,
    backbone_step=__adam,
)
train_cfg = dict(type="IterTrainLoop", max_iters=187_500, val_interval=10_000)
