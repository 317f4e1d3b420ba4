# Real pairs, half of the patches, and HR photos to be degraded: BSDS500 and those of the pairs.
_base_ = "same_real_city100.py"
degradation = dict(type="Bicubic")
__patch = [dict(type="PairedCrop"), dict(type="Flip"), dict(type="PackSample")]
__hr = dict(
    type="HRFolderDataset",
    folder="City100-iPhoneX",
    pattern="0[0-2]*H.PNG",  # not those of the test
    cache_mb=512,
    transforms=__patch,
)
__bsds = ["BSDS500/train", "BSDS500/test"]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="MixtureDataset",
        datasets=[
            dict(
                type="City100Dataset",
                camera="iPhoneX",
                ids="1-24",
                cache_mb=512,
                transforms=__patch,
            ),
            dict(type="HRFolderDataset", folder=__bsds, transforms=__patch),
            __hr,
        ],
        ratios=[2, 1, 1],
    )
)
