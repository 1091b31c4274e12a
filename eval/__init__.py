"""Measuring a cascade, its stages alone, and its parts."""
