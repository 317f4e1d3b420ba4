# ProSR by the paper's curriculum: x2 alone until 12 % of the run, x4 blended in until 25 %, x8 from
# 45 % to 60 %; one of the scales that are open is drawn for each batch. Patches of 48, 36 and 24 LR
# pixels. Otherwise as prosr_div2k_x8.
_base_ = "prosr_div2k_x8.py"
model = dict(scales=[2, 4, 8])
__crop = dict(type="PairedCrop", lr_patch_size=dict(x2=48, x4=36, x8=24))
__patch = [__crop, dict(type="Flip"), dict(type="PackSample")]
train_dataloader = dict(dataset=dict(transforms=__patch))
custom_hooks = [dict(type="CurriculumHook")]
