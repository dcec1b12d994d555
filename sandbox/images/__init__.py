"""The images of the live sandbox, made on this machine, for no registry of images can be asked."""
