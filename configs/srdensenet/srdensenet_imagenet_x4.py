# SRDenseNet: 50,000 photos of ImageNet in patches of 100, Adam, a tenth of the rate after 30 of 60
# epochs. How many patches an epoch has is not known to us: 300K iterations are ours.
_base_ = [
    "../_base_/settings/benchmark_luma.py",
    "../_base_/datasets/imagenet50k.py",
    "../_base_/schedules/adam_300k_tenth_150k.py",
]
scale = 4
backbone = dict(type="SRDenseNet")
