_base_ = [
    "../../../configs/_base_/settings/closed_form.py",
    "../../../configs/_base_/datasets/city100.py",
    "../../../configs/_base_/degradations/global_kernel.py",
]
scale = 4
batch_size = 1
train_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type="EvalSampler"),
    dataset=dict(transforms=[dict(type="PackSample")]),
)
