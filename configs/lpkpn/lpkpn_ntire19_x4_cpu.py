_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/ntire19_sr_cpu.py",
    "../_base_/tasks/super_resolution.py",
    "../_base_/schedules/adam_4k_cpu.py",
]
scale = 4
backbone = dict(type="LPKPN", init="identity", num_blocks=2, num_features=16)
model = dict(
    loss=dict(
        _delete_=True, type="WeightedLoss", terms=[dict(type="MSELoss")], outputs={"level_*": 1.0}
    )
)
