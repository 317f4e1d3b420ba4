backbone = dict(type="MWCNN")
