# KXNet, setting 2: anisotropic kernels and noise, auxiliary kernels to match.
_base_ = ["kxnet_df2k.py", "../_base_/degradations/kxnet_setting2.py"]
per_scale = {
    2: dict(patch_size=128, backbone=dict(kernel_size=11)),
    3: dict(patch_size=192, backbone=dict(kernel_size=15)),
    4: {},
}
backbone = dict(auxiliary="anisotropic")
