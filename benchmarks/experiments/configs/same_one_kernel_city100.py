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
    dataset=dict(ids="1-24", transforms=[dict(type="PackSample")]),
)
val_dataloader = dict(dataset=dict(ids="51-56"))
test_dataloader = val_dataloader
