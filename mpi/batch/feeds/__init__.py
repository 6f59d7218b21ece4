"""Raw files of source systems: read, decoded, mapped, and what cannot be read set aside."""
