# RED30 as released; the paper's text says width 64.
backbone = dict(type="REDNet", depth=30, width=128)
