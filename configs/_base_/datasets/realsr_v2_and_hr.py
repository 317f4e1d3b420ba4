# The union of RealSR V2's training pairs and the HR images to be degraded ("RealSR+Syn").
_base_ = "realsr_v2.py"
__patch = [dict(type="PairedCrop"), dict(type="Flip"), dict(type="PackSample")]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="MixtureDataset",
        datasets=[
            dict(type="RealSRDataset", version=2, split="train", transforms=__patch),
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
