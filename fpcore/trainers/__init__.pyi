from .contexts import sequential_contexts, training_contexts
from .kneser_ney import KneserNey
from .network_training import train_network
from .phase1 import train_contexts
from .phase2 import train_tokens

__all__ = [
    "KneserNey",
    "sequential_contexts",
    "train_contexts",
    "train_network",
    "train_tokens",
    "training_contexts",
]
