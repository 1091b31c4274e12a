"""The stages: each turns cleaned texts into class probabilities."""
