# KXNet, setting 2: anisotropic kernels and noise, auxiliary kernels to match; trained as setting 1.
_base_ = [
    "../_base_/settings/blind_df2k.py",
    "../_base_/degradations/kxnet_setting2.py",
    "../_base_/schedules/adam_1m_half_200k.py",
]
scale = 4
per_scale = {
    2: dict(patch_size=128, backbone=dict(kernel_size=11)),
    3: dict(patch_size=192, backbone=dict(kernel_size=15)),
    4: {},
}
batch_size = 12
backbone = dict(type="KXNet", auxiliary="anisotropic")
model = dict(earlier_rounds=0.1)
optim_wrapper = dict(optimizer=dict(lr=2e-4))
