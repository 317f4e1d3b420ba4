# Scales 2, 3 and 4 in one small network, one of them drawn for each batch.
_base_ = "mdsr_t91_x4_cpu.py"
backbone = dict(multi_scale=True)
model = dict(scales=[2, 3, 4])
__patch = [dict(type="PairedCrop", lr_patch_size=12), dict(type="Flip"), dict(type="PackSample")]
train_dataloader = dict(dataset=dict(transforms=__patch))
