"""For those who change this project: the checks of charts, pods and rights, the generated documents, the bench."""
