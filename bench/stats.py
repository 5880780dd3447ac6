"""The arithmetic of the benchmark. Pure."""

import math
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


def percentile(values, share):
    """The smallest of `values` that at least `share` (0 to 1) of them do not exceed (nearest rank)."""
    if not values:
        raise ValueError("nothing was measured")
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1]


def added_ratio(tier, nginx, direct, floor):
    """What the tier adds to `direct` against what nginx adds. None when nginx adds less than `floor`, what the clock
    can tell: then there is nothing to compare with."""
    if nginx - direct < floor:
        return None
    return max(tier - direct, 0.0) / (nginx - direct)


@dataclass(frozen=True)
class Spread:
    """Several ratios of one thing."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, ratios):
        """Sums up `ratios`."""
        if not ratios:
            raise ValueError("nothing was measured")
        return cls(median(ratios), min(ratios), max(ratios))

    def __str__(self):
        return f"**{self.median:.2f}** ({self.lowest:.2f}–{self.highest:.2f})"


def relative_error(predicted, actual):
    """How far a prediction was from what came, as a share of what came; negative when it was too small."""
    if actual <= 0:
        raise ValueError("a measurement must be above zero")
    return (predicted - actual) / actual


ERROR_BOUNDS = (0.10, 0.25, 0.50, 1.00)


def error_distribution(errors):
    """How many of `errors` are within each of ERROR_BOUNDS and not within the one before; last, the rest."""
    counts = [0] * (len(ERROR_BOUNDS) + 1)
    for error in errors:
        at = next((i for i, bound in enumerate(ERROR_BOUNDS) if abs(error) <= bound), len(ERROR_BOUNDS))
        counts[at] += 1
    return counts


def share_within(errors, bound):
    """The share of `errors` that are at most `bound`."""
    if not errors:
        raise ValueError("nothing was measured")
    return sum(abs(error) <= bound for error in errors) / len(errors)


def rotated(items, index):
    """`items`, beginning with another one each time, so that drift hits all of them alike."""
    at = index % len(items)
    return [*items[at:], *items[:at]]
