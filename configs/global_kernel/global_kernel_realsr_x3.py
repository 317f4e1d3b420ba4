_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/realsr_v2.py",
    "../_base_/degradations/global_kernel.py",
    "../_base_/tasks/degradation_learning.py",
    "../_base_/schedules/closed_form.py",
]
scale = 3
# Every pair once, whole.
train_dataloader = dict(
    batch_size=1,
    persistent_workers=False,
    sampler=dict(type="EvalSampler"),
    dataset=dict(transforms=[dict(type="PackSample")]),
)
