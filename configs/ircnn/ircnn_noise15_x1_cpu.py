_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/noise_cpu.py",
    "../_base_/tasks/benchmark_y.py",
    "../_base_/schedules/adam_1200_cpu.py",
]
scale = 1
backbone = dict(type="IRCNN", width=24)
degradation = dict(type="AWGN", sigma=15, clip=False)
