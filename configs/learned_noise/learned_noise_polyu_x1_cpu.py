# A camera's noise from pairs of a noisy and a clean photo, without a degradation before it.
_base_ = [
    "../_base_/settings/noise_learning_cpu.py",
    "../_base_/datasets/polyu_noise.py",
]
scale = 1
degradation = dict(type="LearnedNoise")
# There is no blur to get wrong: all pixels count.
model = dict(flat_share=1.0, structure=False)
