# RDN as in the paper: x4 begins with the weights of x2, the upsampler apart.
_base_ = "rdn_div2k_x4.py"
__x2 = "work_dirs/rdn_div2k_x2/backbone.safetensors"
backbone = dict(start_from=dict(checkpoint=__x2, ignore=("UPNet.",)))
