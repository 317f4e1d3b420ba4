# Fine-tuning, ours (no paper says how): the shape of DSGAN's schedule at half its rate, 300 passes
# over the 459 training scenes of RealSR at batch 16.
__adam = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-4, betas=(0.5, 0.999)))
optim_wrapper = dict(
    constructor="MultiOptimizerConstructor", degradation_step=__adam, discriminator_step=__adam
)
param_scheduler = dict(
    type="LinearLR", start_factor=1.0, end_factor=0.0, begin=4300, end=8600, by_epoch=False
)
train_cfg = dict(type="IterTrainLoop", max_iters=8600, val_interval=1000)
