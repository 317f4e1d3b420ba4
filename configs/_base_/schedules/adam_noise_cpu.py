# One to two minutes on one CPU core.
_base_ = "adam_noise.py"
train_cfg = dict(max_iters=300, val_interval=300)
