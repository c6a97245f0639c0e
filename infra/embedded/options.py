"""What a caller may choose about a stack."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """How many processes of each service; what else runs. Ports are the environment's (`ports.VARIABLES`)."""

    extractors: int = 1
    transformers: int = 1
    uploads: int = 1  # transformers of what people upload
    loaders: int = 1
    workers: bool = True
    console: bool = True
    serving: bool = False
    simulator_postings: int = 3000  # 0: no simulator; none either where SMELT_USAJOBS_API_KEY names a real key
    migrate: bool = True
