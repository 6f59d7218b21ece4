"""Files of people that took no part in making any model, each with its truth."""
