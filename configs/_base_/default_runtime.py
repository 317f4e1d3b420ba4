default_scope = "realdeg"
seed = 0
data_root = "data"
default_hooks = dict(
    logger=dict(type="ProgressHook", interval=100),
    checkpoint=dict(type="SaveCheckpointHook", interval=5000, keep=2),
)
