# The middle 256 pixels of each photo, which takes minutes instead of an hour.
_base_ = "zssr_set14_x2.py"
__middle = [
    dict(type="CentreCrop", patch_size=256),
    dict(type="Degrade", degradation=dict(type="Bicubic"), quantise=True),
    dict(type="PackSample"),
]
val_dataloader = dict(dataset=dict(split="Kodak", folder="Kodak24", transforms=__middle))
test_dataloader = val_dataloader
