# DegFlow's first stage, as published: 8 patches on each of 4 GPUs.
_base_ = [
    "../_base_/default_runtime.py",
    "../_base_/datasets/realsr_v2_scales.py",
    "../_base_/degradations/degflow.py",
    "../_base_/tasks/latent_autoencoding.py",
    "../_base_/schedules/adam_degflow_ae_200k.py",
]
scale = 4
batch_size = 32
