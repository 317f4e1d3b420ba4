# DSGAN: Adam with beta1 0.5, 300 epochs (216 iterations each for the 3450 images of DF2K at batch
# 16); the rate stays for the first half and falls linearly to 0 in the second.
__adam = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=2e-4, betas=(0.5, 0.999)))
optim_wrapper = dict(
    constructor="MultiOptimizerConstructor", degradation_step=__adam, discriminator_step=__adam
)
param_scheduler = dict(
    type="LinearLR", start_factor=1.0, end_factor=0.0, begin=32_400, end=64_800, by_epoch=False
)
train_cfg = dict(type="IterTrainLoop", max_iters=64_800, val_interval=5000)
