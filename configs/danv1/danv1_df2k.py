# DANv1, setting 1: isotropic kernels. Batches of 64 patches of 64 LR pixels, 4e-4, halved once
# after 200K of 400K iterations. Only the last of four rounds is compared.
_base_ = [
    "../_base_/settings/blind_df2k.py",
    "../_base_/degradations/dan.py",
    "../_base_/schedules/adam_800k_half_200k.py",
]
scale = 4
per_scale = {2: dict(patch_size=128), 3: dict(patch_size=192), 4: {}}
batch_size = 64
backbone = dict(type="DANv1")
param_scheduler = dict(milestones=[200_000])
train_cfg = dict(max_iters=400_000)
