# A tenth of the iterations at ten times the rate: some minutes on a CPU.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/degradations/flow_kernel.py",
    "../_base_/tasks/kernel_likelihood.py",
]
scale = 2
same_size = False
train_dataloader = dict(num_workers=2)
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-3, weight_decay=1e-6))
param_scheduler = dict(
    type="MultiStepLR",
    by_epoch=False,
    milestones=[2000, 2500, 3000, 3500, 4000, 4500],
    gamma=0.5,
)
train_cfg = dict(type="IterTrainLoop", max_iters=5000)
