# Setting 1 in small.
_base_ = ["../_base_/settings/blind_t91_cpu.py", "../_base_/degradations/dan.py"]
scale = 2
train_cfg = dict(max_iters=1200, val_interval=1200)
backbone = dict(
    type="DANv1", num_features=16, num_blocks=4, rounds=2, estimator_features=16, estimator_blocks=2
)
