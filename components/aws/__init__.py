"""The resources in AWS, for stacks that have an account."""
