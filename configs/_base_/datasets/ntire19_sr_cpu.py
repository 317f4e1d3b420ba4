# Real pairs of NTIRE 2019, in the small patches that T91 allows (its smallest side is 78).
_base_ = "ntire19.py"
__patch = [
    dict(type="PairedCrop", patch_size=72),
    dict(type="Flip", horizontal=True, vertical=True, transpose=False),
    dict(type="PackSample"),
]
train_dataloader = dict(batch_size=8, dataset=dict(transforms=__patch))
