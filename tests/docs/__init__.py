"""Every command and snippet of the documentation is run."""
