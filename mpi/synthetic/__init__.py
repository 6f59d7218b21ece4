"""A synthetic region: people who never lived, and what nine kinds of source hold of them.

No extract of a real region may be copied to a laptop, a test or a public repository.  So the
product is built, trained and measured on invented people whose errors, gaps and hard cases come
at the published rates (docs: data/synthetic/README.md); `check` compares what came out with what
was published.  NHS numbers come only from 999 000 0000 - 999 999 9999, which nobody real has.
"""
