backbone = dict(type="SRDenseNet")
