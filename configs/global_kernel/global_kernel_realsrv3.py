_base_ = [
    "../_base_/settings/closed_form.py",
    "../_base_/datasets/realsr_v3.py",
    "../_base_/degradations/global_kernel.py",
]
scale = 4
per_scale = {2: {}, 3: {}, 4: {}}
batch_size = 1
train_dataloader = dict(
    persistent_workers=False,
    sampler=dict(type="EvalSampler"),
    dataset=dict(transforms=[dict(type="ModCrop"), dict(type="PackSample")]),
)
