# City100 without its pairs: HR of one postcard, LR of another. Validated on pairs.
_base_ = "city100.py"
__patch = [dict(type="PairedCrop"), dict(type="Flip"), dict(type="PackSample")]
__postcards = dict(
    type="City100Dataset", camera="iPhoneX", split="train", transforms=__patch, cache_mb=512
)
train_dataloader = dict(
    num_workers=1,
    dataset=dict(
        _delete_=True, type="UnpairedDataset", real="lr", datasets=[__postcards, __postcards]
    ),
)
