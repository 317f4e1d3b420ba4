# FSRCNN, first stage: patches of 10, 7 and 6 LR pixels at x2, x3 and x4; 1e-3, the deconvolution at
# a tenth of it. Those are rates of SGD in the paper, which does not say how its loss is summed up;
# Adam takes them here. Second stage: General-100 added, half the rate, this stage's weights as
# load_from; for another scale only the deconvolution is trained again. The paper also shrinks the
# images by 0.9 to 0.6 beforehand, which has no transform yet. Batch and length are not known to us.
_base_ = ["../_base_/settings/luma_t91.py", "../_base_/schedules/adam_300k.py"]
scale = 3
patch_size = 21
batch_size = 128
backbone = dict(type="FSRCNN")
optim_wrapper = dict(
    optimizer=dict(lr=1e-3), paramwise_cfg=dict(custom_keys=dict(last_part=dict(lr_mult=0.1)))
)
