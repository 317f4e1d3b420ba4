backbone = dict(type="IRCNN")
