# CARN as in the paper: one network, of whose scales 2, 3 and 4 one is drawn for each batch of 64
# patches of 64 LR pixels. Validated at x4.
_base_ = "carn_div2k_x4.py"
backbone = dict(multi_scale=True)
model = dict(scales=[2, 3, 4])
__patch = [dict(type="PairedCrop", lr_patch_size=64), dict(type="Flip"), dict(type="PackSample")]
train_dataloader = dict(dataset=dict(transforms=__patch))
