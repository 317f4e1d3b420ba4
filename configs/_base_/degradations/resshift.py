# ResShift (Yue et al., NeurIPS 2023): Real-ESRGAN's ranges, no sharpening, smaller kernels, and the
# second order for every other image: configs/realsr_swinunet_realesrgan256_journal.yaml and
# basicsr/data/realesrgan_dataset.py of zsyOAOA/ResShift, commit 3ce1d81.
degradation = dict(
    type="RealESRGAN",
    sharpen=False,
    codec="differentiable",
    second_order_probability=0.5,
    first=dict(kernel_sizes=(3, 5, 7, 9, 11, 13, 15, 17, 19)),
    second=dict(kernel_sizes=(3, 5, 7, 9, 11, 13)),
)
