# About ten minutes on two CPU cores. The rate falls to almost nothing, because so few iterations at
# a fixed rate end wherever the noise of the last batches leaves them.
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-3, betas=(0.9, 0.999)))
param_scheduler = dict(type="CosineAnnealingLR", by_epoch=False, eta_min=1e-5)
train_cfg = dict(type="IterTrainLoop", max_iters=4000, val_interval=1000)
val_cfg = dict(type="EvalLoop")
test_cfg = dict(type="EvalLoop")
