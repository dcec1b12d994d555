"""What the logs' index is, and the program that sets it up."""
