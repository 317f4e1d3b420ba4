# The union of RealSR V3's training pairs and the HR images to be degraded ("RealSR+Syn"), with LR
# `scale` times smaller than HR.
_base_ = "realsr_v2_and_hr.py"
same_size = False
__patch = [dict(type="PairedCrop"), dict(type="Flip"), dict(type="PackSample")]
train_dataloader = dict(
    dataset=dict(
        datasets=[
            dict(type="RealSRDataset", version=3, split="train", transforms=__patch),
            dict(
                type="HRFolderDataset",
                folder="Flickr2K/Flickr2K_HR",
                too_small="skip",
                transforms=[dict(type="DownsampleHR", factor=2, sigma=1.0), *__patch],
            ),
            dict(type="HRFolderDataset", folder="Raw500", transforms=__patch),
        ],
    )
)
# Not every HR image of the release divides by the scale.
val_dataloader = dict(
    dataset=dict(version=3, transforms=[dict(type="ModCrop"), dict(type="PackSample")])
)
test_dataloader = val_dataloader
