# A small KMSR on T91, a few minutes on one CPU core, with the sum of input and output that the
# code has commented out: without it so few iterations do not suffice.
_base_ = "kmsr_div2k_x2.py"
hr_folders = "T91"
patch_size = 48
batch_size = 8
backbone = dict(type="KMSR", num_blocks=4, width=24, global_skip=True)
train_dataloader = dict(num_workers=2)
param_scheduler = dict(type="CosineAnnealingLR", by_epoch=False, eta_min=1e-5)
train_cfg = dict(max_iters=1200, val_interval=1200)
