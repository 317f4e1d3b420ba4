_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/t91_cpu.py",
    "../_base_/tasks/benchmark.py",
    "../_base_/schedules/adam_1200_cpu.py",
]
scale = 4
backbone = dict(type="DNSR", num_features=16, num_blocks=2)
degradation = dict(type="AWGN", sigma=10)
