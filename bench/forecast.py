"""Is the predicted wait true? Three models under a mixed load; before each request the tier is asked how long an
answer of that model would take to begin, after it the two are compared."""

import random
import threading
import time

import cancel
import scenarios
import sse
import stats

# Sizes of questions (words) and answers (tokens) of the mixed load.
WORDS = (60, 120, 180)
TOKENS = (16, 32, 48)
WORKERS_PER_MODEL = 3


class Asker:
    """A tier, asked with a key of one's own: what the status predicts is for a key that has nothing under way."""

    def __init__(self, tier, key, model):
        self.host, self.port, self.name = tier.host, tier.port, tier.name
        self.key, self.model = key, model


def sample(tier, asker, salt):
    """One request: (seconds predicted until its first text, None when nothing was known; seconds it took)."""
    chooser = random.Random(salt)
    topic = chooser.choice(scenarios.TOPICS)
    messages = scenarios.unique_prompt(chooser.choice(WORDS), salt, topic)
    told = cancel.instance(tier, asker.model)
    answer = sse.ask(asker, messages, chooser.choice(TOKENS), deadline_seconds=60)
    first = told["predicted_first_token_ms"]
    predicted = None if first is None else (told["predicted_wait_ms"] + first) / 1000
    return predicted, answer.ttft


def run(tier, askers, learn, count, limit_seconds, say):
    """Every asker of `askers` (a dict: model → askers) asks again and again; of each model the first `learn` answers
    teach the tier, the next `count` are kept. Returns a dict: model → [(predicted, actual)]."""
    until = time.monotonic() + limit_seconds
    lock, failures = threading.Lock(), []
    begun = dict.fromkeys(askers, 0)
    kept = {model: [] for model in askers}

    def worker(model, asker, number):
        while time.monotonic() < until and not failures:
            with lock:
                begun[model] += 1
                turn = begun[model]
            # The others go on until all have their samples, so that the load stays what it was.
            if all(len(samples) >= count for samples in kept.values()):
                return
            try:
                predicted, actual = sample(tier, asker, f"forecast-{model}-{number}-{turn}")
            except Exception as error:
                failures.append(error)
                return
            with lock:
                if turn > learn and predicted is not None and len(kept[model]) < count:
                    kept[model].append((predicted, actual))
                    say(f"{model}: predicted {predicted:.2f} s, took {actual:.2f} s")

    threads = [
        threading.Thread(target=worker, args=(model, asker, number), daemon=True)
        for model, those in askers.items()
        for number, asker in enumerate(those)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=max(until - time.monotonic(), 0) + 90)
    if failures or any(thread.is_alive() for thread in threads):
        raise sse.StreamFailed(f"mixed load: {failures or 'a request hangs'}")
    return kept


def rows(kept):
    """Rows of the table: each model's errors, then all of them."""
    errors = {model: [stats.relative_error(p, a) for p, a in samples] for model, samples in kept.items()}
    errors["all"] = [error for those in errors.values() for error in those]
    made = []
    for model, those in errors.items():
        if not those:
            made.append([model, "0", *([""] * (len(stats.ERROR_BOUNDS) + 3))])
            continue
        counts = [str(n) for n in stats.error_distribution(those)]
        middle = stats.percentile(those, 0.5)
        within = f"{stats.share_within(those, 0.25) * 10:.1f} in 10"
        made.append([model, str(len(those)), *counts, f"{middle:+.0%}", within])
    return made


HEAD = ["model", "requests", *(
    f"off by ≤ {bound:.0%}" for bound in stats.ERROR_BOUNDS), "more", "median error", "within 25 %"]
