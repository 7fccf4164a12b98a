"""What a separator's `pairs` block may say: the mixtures that it learns from."""

from dataclasses import dataclass, field

from asdlib.errors import AsdError

NOISE_ONLY = ("identity", "noisy_target")


def check_snr(snr: list[float], where: str) -> None:
    """Refuse what is no range of signal-to-noise ratios; `where` names the setting."""
    if len(snr) != 2 or snr[0] > snr[1]:
        raise AsdError(f"{where}: {snr}: give the lowest and the highest in dB, such as [-5, 10]")


@dataclass(frozen=True)
class Pairs:
    """How mixtures of a machine's sound and noise are drawn on the fly."""

    segment: float = 4.0  # s of a mixture
    snr: list[float] = field(default_factory=lambda: [-5.0, 10.0])  # dB, lowest and highest, drawn evenly
    gain: float = 5.0  # dB up and down that a whole mixture's level is varied by
    per_epoch: int = 1000  # mixtures
    validation: float = 0.1  # share of the machine's and of the noise recordings that is held out, at least one each
    validation_mixtures: int = 100  # fixed mixtures of the held-out recordings
    noise_only: str = "identity"  # without a clean reference: identity, or noisy_target (the recordings are the target)
    minimum_rms: float = 1e-3  # of full scale: a quieter machine sound says nothing about separation

    def __post_init__(self) -> None:
        """Refuse what no mixture can be drawn from."""
        check_snr(self.snr, "pairs.snr")
        if self.noise_only not in NOISE_ONLY:
            raise AsdError(f"pairs.noise_only: {self.noise_only!r}: use one of: {', '.join(NOISE_ONLY)}")
        for name in ("segment", "per_epoch", "validation_mixtures", "minimum_rms"):
            if getattr(self, name) <= 0:
                raise AsdError(f"pairs.{name}: {getattr(self, name)}: must be greater than 0")
        if not 0 <= self.validation < 1:
            raise AsdError(f"pairs.validation: {self.validation}: give a share from 0 to below 1")
