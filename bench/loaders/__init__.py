"""The systems compared, each a program of its own: it loads once, prints what that took, and ends."""
