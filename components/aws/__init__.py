"""What the stack needs of AWS, where it has an account."""
