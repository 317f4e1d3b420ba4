# dfo.py as Real-ESRGAN takes it: batches of 48 (12 on each of 4 GPUs), flipped left-right only.
# Left out: the copies of DF2K reduced to 0.75, 0.5, a third and a shortest side of 400, which can
# be made beforehand and added to hr_folders.
_base_ = "dfo.py"
batch_size = 48
flip = dict(vertical=False, transpose=False)
