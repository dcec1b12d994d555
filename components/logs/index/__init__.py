"""The definition of the logs' index, and the program that sets it up."""
