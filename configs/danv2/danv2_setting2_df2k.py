# DANv2, setting 2, made for DIV2KRK: anisotropic kernels, disturbed; sizes of the test settings.
_base_ = "danv2_df2k.py"
per_scale = {2: dict(patch_size=128, backbone=dict(kernel_size=11, code_length=10)), 4: {}}
backbone = dict(kernels="anisotropic", kernel_size=31, code_length=15)
degradation = dict(kind="DAN-2")
