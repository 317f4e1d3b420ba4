# MDSR as in the paper: one network, of whose scales 2, 3 and 4 one is drawn for each batch. LR
# patches of 48 pixels at every scale; validated at x4 (docs/training.md says how to test at x2).
_base_ = "mdsr_div2k_x4.py"
backbone = dict(multi_scale=True)
model = dict(scales=[2, 3, 4])
__patch = [dict(type="PairedCrop", lr_patch_size=48), dict(type="Flip"), dict(type="PackSample")]
train_dataloader = dict(dataset=dict(transforms=__patch))
