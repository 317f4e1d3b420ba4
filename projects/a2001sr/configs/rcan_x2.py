# A small RCAN on the data and with the loss of the exercise.
_base_ = "exercise_x2.py"
backbone = dict(_delete_=True, type="RCAN", num_groups=2, num_blocks=2, num_features=24)
train_cfg = dict(max_iters=600)
