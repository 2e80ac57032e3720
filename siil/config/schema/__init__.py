"""The keys: a class for each section, a field for each key with its unit and why. Types and words, no code.

Comes in: whoever takes a section. Goes out: nowhere.
"""
