backbone = dict(type="SRVGGNetCompact")
