"""The preview of an update of a stack, object by object, those of Helm Releases too."""
