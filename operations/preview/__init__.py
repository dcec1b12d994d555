"""What an update of a stack would change, object by object, those of Helm Releases too."""
