# About ten minutes on two CPU cores. The rate falls to almost nothing, because so few iterations at
# a fixed rate end wherever the noise of the last batches leaves them.
_base_ = "adam_1200_cpu.py"
train_cfg = dict(max_iters=4000, val_interval=1000)
