_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/t91_cpu.py",
    "../_base_/backbones/memnet.py",
    "../_base_/degradations/bicubic.py",
    "../_base_/tasks/benchmark_y.py",
    "../_base_/schedules/adam_1200_cpu.py",
]
scale = 4
backbone = dict(blocks=3, units=3, width=24)
model = dict(loss=dict(type="WeightedLoss", terms=[dict(type="MSELoss")]))
