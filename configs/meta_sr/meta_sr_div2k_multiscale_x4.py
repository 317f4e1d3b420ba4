# Meta-SR as its code trains: one scale of 1.1, 1.2, ... 4.0 drawn for each batch of 16 patches of
# 50 LR pixels. Validated at x4; any other number does (`realdeg test ... --cfg-options scale=2.5`).
# The degradation shrinks the patch itself, so patches need not begin where a fractional scale meets
# a whole pixel of the photo, as they have to there.
_base_ = "meta_sr_div2k_x4.py"
model = dict(scales=[tenths / 10 for tenths in range(11, 41)])
__patch = [dict(type="PairedCrop", lr_patch_size=50), dict(type="Flip"), dict(type="PackSample")]
train_dataloader = dict(dataset=dict(transforms=__patch))
