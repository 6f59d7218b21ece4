"""What is measured, how, and what it came to: see README.md in this folder."""
