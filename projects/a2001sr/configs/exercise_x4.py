_base_ = "exercise_x2.py"
scale = 4
patch_size = 96
train_cfg = dict(max_iters=1000)
