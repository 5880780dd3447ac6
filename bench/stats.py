"""The arithmetic of the benchmark. Pure."""

from dataclasses import dataclass
from statistics import median


def pair_order(index):
    """Who goes first in pair `index`: 0 = ours, 1 = the peer. A, B, B, A, A, B … so that drift hits both alike."""
    return (0, 1) if index % 2 == 0 else (1, 0)


def ratio(ours, peer, lower_is_better):
    """Ours against the peer's, turned so that above 1 is better."""
    if ours <= 0 or peer <= 0:
        raise ValueError("a measurement must be above zero")
    return peer / ours if lower_is_better else ours / peer


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    unit: str
    ours: float
    peer: float
    ratio: float
    lowest: float
    highest: float
    pairs: int
    aim: float | None

    @property
    def missed(self):
        """Is the aim not reached? The ratio is taken as it is printed, with two decimals."""
        return self.aim is not None and round(self.ratio, 2) < self.aim


def row(name, unit, pairs, lower_is_better, aim=None):
    """Sums up `pairs` of (ours, peer): medians of both, and median, lowest and highest of the pairs' ratios."""
    if not pairs:
        raise ValueError(f"{name}: nothing was measured")
    ratios = [ratio(ours, peer, lower_is_better) for ours, peer in pairs]
    return Row(
        name=name,
        unit=unit,
        ours=median(ours for ours, _ in pairs),
        peer=median(peer for _, peer in pairs),
        ratio=median(ratios),
        lowest=min(ratios),
        highest=max(ratios),
        pairs=len(pairs),
        aim=aim,
    )


def together(answers):
    """Sums up streams that ran at the same time.

    Returns a dict: `wall` seconds from the first request sent to the last text; `rate` tokens per second over that
    time; `decode_rate` tokens per second from the first text of any stream to the last, each stream's first token
    left out; `ttft_p50` seconds.
    """
    sent = min(a.sent for a in answers)
    first = min(a.first for a in answers)
    last = max(a.last for a in answers)
    tokens = sum(a.completion_tokens for a in answers)
    return {
        "wall": last - sent,
        "rate": tokens / (last - sent),
        "decode_rate": (tokens - len(answers)) / (last - first),
        "ttft_p50": median(a.ttft for a in answers),
        "tokens": tokens,
    }
