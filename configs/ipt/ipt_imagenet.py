# IPT, one task alone. The paper trains one network for six tasks (x2, x3, x4, two noises, rain),
# drawing one for each batch, with a contrastive loss of weight 0.1 beside the absolute error: a run
# has one task here, and no such loss. Batches of 256 patches of 48 LR pixels out of ten million,
# 300 epochs, 5e-5 and 2e-5 after 200 of them: a sixth of these 11.7M iterations.
_base_ = [
    "../_base_/settings/benchmark.py",
    "../_base_/datasets/imagenet.py",
    "../_base_/schedules/adam_1m.py",
]
scale = 4
per_scale = {2: dict(patch_size=96), 4: {}}
batch_size = 256
backbone = dict(type="IPT")
optim_wrapper = dict(optimizer=dict(lr=5e-5))
param_scheduler = dict(type="MultiStepLR", by_epoch=False, milestones=[1_300_000], gamma=0.4)
train_cfg = dict(max_iters=1_950_000)
