# PCARN, the first stage (absolute error); the second adds three discriminators and a VGG loss,
# which a task for super-resolution by games has yet to bring. Batches of 64 patches of 48 LR
# pixels. The paper trains one network for scales 2, 3 and 4, drawing one of them for each batch. A
# batch has the config's scale here, so this is the network of one scale (patch 96 at x2, 144 at
# x3).
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/div2k.py",
    "../_base_/backbones/pcarn.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/benchmark.py",
    "../_base_/schedules/adam_600k_half_400k.py",
]
scale = 4
train_dataloader = dict(batch_size=64)
optim_wrapper = dict(clip_grad=dict(max_norm=10))
