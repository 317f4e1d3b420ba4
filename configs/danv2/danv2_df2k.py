# DANv2, setting 1: as DANv1, for 800K iterations, halved every 200K.
_base_ = "../danv1/danv1_df2k.py"
per_scale = {2: dict(patch_size=128), 3: dict(patch_size=192), 4: {}}
backbone = dict(type="DANv2")
param_scheduler = dict(milestones=[200_000, 400_000, 600_000])
train_cfg = dict(max_iters=800_000)
