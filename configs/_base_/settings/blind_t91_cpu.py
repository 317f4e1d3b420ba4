# blind_df2k.py on T91 in a minute or two on one CPU core.
_base_ = [
    "../default_runtime.py",
    "../datasets/t91_reduced_cpu.py",
    "../tasks/blind.py",
    "../schedules/adam_1200_cpu.py",
]
train_cfg = dict(max_iters=300, val_interval=300)
