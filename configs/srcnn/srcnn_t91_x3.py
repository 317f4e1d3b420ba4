# SRCNN: 33 x 33 pixels, SGD, a tenth of the rate for the last layer. The paper compares the middle
# of each patch only (no padding), trains its best network on 395,909 images of ImageNet, and says
# 8e8 patches, not how many iterations: 1M is ours. Other scales: patch 34 at x2, 32 at x4.
_base_ = ["../_base_/settings/luma_t91.py", "../_base_/schedules/sgd_400k.py"]
scale = 3
patch_size = 33
batch_size = 128
backbone = dict(type="SRCNN", kernels="9-5-5")
# Caffe's Euclidean loss: half the squares of a patch, summed, mean over the batch.
model = dict(loss=dict(type="MSELoss", weight=33**2 / 2))
optim_wrapper = dict(
    optimizer=dict(lr=1e-4, weight_decay=0),
    paramwise_cfg=dict(custom_keys=dict(conv3=dict(lr_mult=0.1))),
)
param_scheduler = None
train_cfg = dict(max_iters=1_000_000)
