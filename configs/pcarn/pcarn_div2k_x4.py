# PCARN, the first stage (absolute error); the second adds three discriminators and a VGG loss,
# which a task for super-resolution by games has yet to bring. Batches of 64 patches of 48 LR
# pixels (patch 96 at x2, 144 at x3). This is the network of one scale; the paper trains one for
# scales 2, 3 and 4: docs/training.md, "Several scales in one network".
_base_ = ["../_base_/settings/div2k.py", "../_base_/schedules/adam_600k_half_400k.py"]
scale = 4
batch_size = 64
backbone = dict(type="PCARN", multi_scale=False)
optim_wrapper = dict(clip_grad=dict(max_norm=10))
