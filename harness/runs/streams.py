"""Random numbers: a stream of its own for each purpose and seed."""

import hashlib

import torch


def stream(purpose: str, seed: int = 0, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator that practically no other purpose or seed shares.

    Torch's generator on the CPU takes 32 bits of a seed and drops the rest without a word, so that neither large
    offsets nor small ones keep streams apart; a hash does.
    """
    digest = hashlib.sha256(f"{purpose} {seed}".encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:4], "big"))
