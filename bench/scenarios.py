"""What is asked of both servers. Prompts are made from fixed words and a salt, so that both get the same bytes and
no prompt can be answered from an earlier one's cache unless the scenario is about that."""

import random
import threading
import time

import sse
import stats

WORDS = (
    "river stone window garden letter morning engine harbour winter silver paper mountain kitchen signal market "
    "forest teacher bridge station summer copper village doctor island machine captain orchard lantern station "
    "weather travel music corner number answer question reason office north south east west"
).split()

# Questions a small model answers at length, so that greedy decoding reaches the limit of tokens.
TOPICS = (
    "the history of bread", "how a steam engine works", "life in a fishing village", "the water cycle",
    "how to plan a garden", "the moons of Jupiter", "how bridges are built", "the trade in spices",
    "how bees make honey", "the invention of printing", "how glass is made", "the seasons of the year",
    "how a clock keeps time", "the life of a river", "how letters were sent", "the craft of the potter",
)


def filler(words, salt):
    """`words` words in an order of their own; the salt stands first, so no prefix is shared with another salt."""
    chooser = random.Random(salt)
    return f"Reference {salt}. " + " ".join(chooser.choice(WORDS) for _ in range(words))


def question(topic):
    """A question with a long answer."""
    return f"Write a very long and detailed essay about {topic}. Use many paragraphs and do not stop early."


def unique_prompt(words, salt, topic):
    """Messages of which nothing but the chat template's first tokens has been seen before."""
    return [
        {"role": "system", "content": filler(words, salt)},
        {"role": "user", "content": question(topic)},
    ]


def at_once(server, prompts, max_tokens):
    """Asks all `prompts` at the same moment, each on a connection of its own."""
    answers, failures = [None] * len(prompts), []
    gate = threading.Barrier(len(prompts))

    def one(index, messages):
        try:
            gate.wait(timeout=30)
            answers[index] = sse.ask(server, messages, max_tokens)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=one, args=pair, daemon=True) for pair in enumerate(prompts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=240)
    if failures or any(answer is None for answer in answers):
        raise sse.StreamFailed(f"{server.name}: {failures or 'a stream hangs'}")
    return answers


def first_token(server, salt, _size):
    """TTFT of a prompt of about 300 tokens nobody has seen."""
    answer = sse.ask(server, unique_prompt(270, f"first-{salt}", TOPICS[0]), 8)
    return {"ttft": answer.ttft, "prompt_tokens": answer.prompt_tokens}


def prefill(server, salt, _size):
    """Prompt tokens per second: a long prompt nobody has seen, one token of answer, over HTTP."""
    answer = sse.ask(server, unique_prompt(1300, f"prefill-{salt}", TOPICS[0]), 1)
    return {"rate": answer.prompt_tokens / answer.ttft, "prompt_tokens": answer.prompt_tokens}


def decode(streams):
    """Decode rate of `streams` answers at once, after short prompts."""

    def measure(server, salt, size):
        prompts = [unique_prompt(3, f"decode-{salt}-{i}", TOPICS[i % len(TOPICS)]) for i in range(streams)]
        answers = at_once(server, prompts, size.decode_tokens)
        full = sum(a.finish_reason == "length" for a in answers)
        rate = answers[0].decode_rate if streams == 1 else stats.together(answers)["decode_rate"]
        return {"rate": rate, "full": full, "streams": streams}

    return measure


def shared_system(server, salt, size):
    """Eight questions at once under one system prompt of about 300 tokens: first when nobody has seen that system
    prompt (cold), then eight others under the same (warm)."""
    system = {"role": "system", "content": filler(270, f"shared-{salt}")}
    found = {}
    for name, topics in (("cold", TOPICS[:8]), ("warm", TOPICS[8:])):
        prompts = [[system, {"role": "user", "content": question(topic)}] for topic in topics]
        sums = stats.together(at_once(server, prompts, size.shared_tokens))
        found |= {f"{name}_{key}": value for key, value in sums.items()}
    return found


def reuse(server, salt, _size):
    """The same system prompt twice, one after the other: TTFT of the second request, and how much shorter it is."""
    system = {"role": "system", "content": filler(270, f"reuse-{salt}")}
    times = []
    for topic in TOPICS[:2]:
        answer = sse.ask(server, [system, {"role": "user", "content": question(topic)}], 8)
        times.append(answer.ttft)
    return {"second_ttft": times[1], "gain": times[0] / times[1], "cached": answer.cached_tokens}


# (name, what to run, [(row, key of the measurement, unit, lower is better, aim)])
SCENARIOS = (
    ("first token", first_token, [("TTFT, 300-token prompt", "ttft", "s", True, None)]),
    ("prefill", prefill, [("prefill, long prompt", "rate", "tok/s", False, None)]),
    ("1 stream", decode(1), [("decode, 1 stream", "rate", "tok/s", False, 1.0)]),
    ("4 streams", decode(4), [("decode, 4 streams together", "rate", "tok/s", False, None)]),
    ("8 streams", decode(8), [("decode, 8 streams together", "rate", "tok/s", False, None)]),
    ("8 streams, shared system prompt", shared_system, [
        ("8 with a new shared system prompt: tokens per second of wall time", "cold_rate", "tok/s", False, 1.2),
        ("8 with a new shared system prompt: wall time", "cold_wall", "s", True, None),
        ("8 with a new shared system prompt: TTFT p50", "cold_ttft_p50", "s", True, None),
        ("8 with a known shared system prompt: tokens per second of wall time", "warm_rate", "tok/s", False, 1.2),
        ("8 with a known shared system prompt: wall time", "warm_wall", "s", True, None),
        ("8 with a known shared system prompt: TTFT p50", "warm_ttft_p50", "s", True, None),
    ]),
    ("prefix reuse", reuse, [
        ("TTFT of a second request under the same system prompt", "second_ttft", "s", True, None),
        ("how many times shorter than the first", "gain", "×", False, None),
    ]),
)


def idle_share(server, seconds=2.0):
    """Share of one core the server uses while nobody asks it anything. Spinning threads would show up here."""
    before, since = server.cpu_seconds(), time.monotonic()
    time.sleep(seconds)
    return (server.cpu_seconds() - before) / (time.monotonic() - since)
