# Real-ESRGAN's and HAT's second stage: Adam for both networks at a fixed rate.
__adam = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-4, betas=(0.9, 0.99)))
optim_wrapper = dict(
    constructor="MultiOptimizerConstructor", backbone_step=__adam, discriminator_step=__adam
)
train_cfg = dict(type="IterTrainLoop", max_iters=400_000, val_interval=10_000)
