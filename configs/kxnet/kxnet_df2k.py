# KXNet, setting 1: isotropic kernels, without noise. Batches of 12 patches of 64 LR pixels, 2e-4,
# halved every 200K of 1M iterations. All 19 rounds are compared, the last with 10 times the weight.
_base_ = [
    "../_base_/settings/blind_df2k.py",
    "../_base_/degradations/kxnet.py",
    "../_base_/schedules/adam_1m_half_200k.py",
]
scale = 4
per_scale = {2: dict(patch_size=128), 3: dict(patch_size=192), 4: {}}
batch_size = 12
backbone = dict(type="KXNet")
model = dict(earlier_rounds=0.1)
optim_wrapper = dict(optimizer=dict(lr=2e-4))
