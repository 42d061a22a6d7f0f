"""HypLoRA, low-rank adaptation on the Lorentz model, for Hugging Face PEFT.

The adapter is not here yet; this package holds its place in the distribution.
"""
