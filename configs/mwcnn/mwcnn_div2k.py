# MWCNN, the extended paper's: Y, LR unrounded, batches of 8 patches of 256 (255 at x3), squared
# error, half the rate after every 100 epochs. The published PSNR is measured without removing a
# border. An epoch is taken for 1000 batches, and a run for 1000 epochs, the code's default: neither
# is said.
_base_ = ["../_base_/settings/luma_div2k.py", "../_base_/schedules/adam_1m.py"]
scale = 4
per_scale = {2: {}, 4: {}}
patch_size = 256
batch_size = 8
backbone = dict(type="MWCNN")
optim_wrapper = dict(optimizer=dict(lr=1.024e-4))
param_scheduler = dict(
    type="MultiStepLR",
    by_epoch=False,
    milestones=[100_000 * step for step in range(1, 10)],
    gamma=0.5,
)
