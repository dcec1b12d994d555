"""What the application's namespace gets."""
