# SwinIR for real photos, L, the second of two stages; otherwise swinir_real_m_gan_dfo_x4.py.
_base_ = "swinir_real_m_gan_dfo_x4.py"
hr_folders = [
    "DIV2K/DIV2K_train_HR",
    "Flickr2K/Flickr2K_HR",
    "OST",
    "WaterlooExploration",
    "FFHQ2000",
    "Manga109",
    "SCUT-CTW1500_100",
]
__stage1 = "work_dirs/swinir_real_l_dfowmfc_x4/backbone.safetensors"
backbone = dict(preset="real_l", start_from=dict(checkpoint=__stage1))
