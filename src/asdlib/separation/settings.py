"""The settings of a separator's training mixtures, the `pairs` block of its recipe."""

from dataclasses import dataclass, field

from asdlib.errors import AsdError

NOISE_ONLY = ("identity", "noisy_target")


def check_snr(snr: list[float], where: str) -> None:
    """Raise AsdError, naming the setting `where`, unless `snr` is a range of signal-to-noise ratios."""
    if len(snr) != 2 or snr[0] > snr[1]:
        raise AsdError(f"{where}: {snr}: give the lowest and the highest in dB, such as [-5, 10]")


@dataclass(frozen=True)
class Pairs:
    """Settings of the mixtures of machine sound and noise."""

    segment: float = 4.0  # duration of a mixture in s
    snr: list[float] = field(default_factory=lambda: [-5.0, 10.0])  # dB, lowest and highest, drawn uniformly
    gain: float = 5.0  # dB by which the level of a mixture varies, up or down
    per_epoch: int = 1000  # mixtures
    validation: float = 0.1  # held-out share of the machine's and of the noise recordings, at least one of each
    validation_mixtures: int = 100  # fixed mixtures of the held-out recordings
    noise_only: str = "identity"  # without clean clips: identity, or noisy_target (the recordings are the target)
    minimum_rms: float = 1e-3  # of full scale: quieter machine sounds are not used

    def __post_init__(self) -> None:
        """Raise AsdError if a value is out of range."""
        check_snr(self.snr, "pairs.snr")
        if self.noise_only not in NOISE_ONLY:
            raise AsdError(f"pairs.noise_only: {self.noise_only!r}: use one of: {', '.join(NOISE_ONLY)}")
        for name in ("segment", "per_epoch", "validation_mixtures", "minimum_rms"):
            if getattr(self, name) <= 0:
                raise AsdError(f"pairs.{name}: {getattr(self, name)}: must be greater than 0")
        if not 0 <= self.validation < 1:
            raise AsdError(f"pairs.validation: {self.validation}: give a share from 0 to below 1")
