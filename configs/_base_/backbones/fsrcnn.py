backbone = dict(type="FSRCNN")
