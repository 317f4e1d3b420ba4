# D-DBPN: 20 patches of 32 LR pixels (64 at x2, 256 at x8), as they are: nothing is flipped. The
# paper adds photos of ImageNet to DIV2K and Flickr2K.
_base_ = ["../_base_/settings/df2k.py", "../_base_/schedules/adam_1m_tenth_500k.py"]
scale = 4
batch_size = 20
backbone = dict(type="DBPN", preset="dbpn")
optim_wrapper = dict(optimizer=dict(weight_decay=1e-4))
train_dataloader = dict(dataset=dict(transforms=[dict(type="PairedCrop"), dict(type="PackSample")]))
