# The DML paper's 3150 HR images, to be degraded; tested on RealSR V2. The 2650 of Flickr2K are
# smoothed and halved against compression artefacts; the 500 developed raw photos are taken as they
# are (wesaturate.com is gone: any clean 4K photos do, and make it another experiment).
_base_ = "realsr_v2.py"
__patch = [dict(type="PairedCrop"), dict(type="Flip"), dict(type="PackSample")]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="MixtureDataset",
        datasets=[
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
