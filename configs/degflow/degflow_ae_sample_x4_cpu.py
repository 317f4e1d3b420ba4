# DegFlow's first stage, small, for one CPU core: the built-in images and the simulated camera.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/sample_scales_cpu.py",
    "../_base_/degradations/degflow_cpu.py",
    "../_base_/tasks/latent_autoencoding.py",
    "../_base_/schedules/adam_1200_cpu.py",
]
scale = 4
