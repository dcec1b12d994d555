"""Programs that stand in for those whose images cannot be had: they run inside, as modules of a package of this name.

Each behaves as the official one does in what a kubelet and this program depend on, and exits with a message where that
one would. Standard library, and PyYAML.
"""
