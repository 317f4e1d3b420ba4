# Luo et al., CVPR 2022, by the authors' options for NTIRE 2018 and 2020: kernels of 21 x 21 that
# begin as a box, in the authors' windows, and noise from the image and a code per image.
degradation = dict(
    type="PDM",
    kernel_size=21,
    kernel_start="flat",
    noise_spatial=False,
    window="first_pixel",
)
