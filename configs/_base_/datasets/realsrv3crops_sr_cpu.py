# Real pairs of the RealSR V3 crops, in the small patches that T91 allows (its smallest side is 78).
_base_ = "realsr_v3_crops.py"
__patch = [
    dict(type="PairedCrop", patch_size=72),
    dict(type="Flip", horizontal=True, vertical=True, transpose=False),
    dict(type="PackSample"),
]
train_dataloader = dict(batch_size=8, dataset=dict(transforms=__patch))
