"""From what a source wrote to what is compared; pure, and never an exception whatever the text."""
