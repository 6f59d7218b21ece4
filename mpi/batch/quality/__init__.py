"""What an index is worth: measured against the truth, labelled by people, reported."""
