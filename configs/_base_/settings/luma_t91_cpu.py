# benchmark_luma.py on T91: a few minutes on one CPU core.
_base_ = ["benchmark_luma.py", "../datasets/t91_cpu.py", "../schedules/adam_1200_cpu.py"]
