# Scales 2, 3 and 4 in one small network, one of them drawn for each batch.
_base_ = "mdsr_t91_x4_cpu.py"
backbone = dict(multi_scale=True)
model = dict(scales=[2, 3, 4])
train_dataloader = dict(
    dataset=dict(
        transforms=[
            dict(type="PairedCrop", patch_size=48, lr_patch_size=12),
            dict(type="Flip", transpose=True),
            dict(type="PackSample"),
        ]
    ),
)
model_wrapper_cfg = dict(find_unused_parameters=True)
