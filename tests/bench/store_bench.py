"""Measure the time and memory that the in-memory store takes: `python tests/bench/store_bench.py --help`.

Prints one line for each figure. Times are CPU time, to depend less on the load of the machine, and the median of
many calls unless the line says otherwise.
"""

import argparse
import gc
import multiprocessing
import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from mockserver.context import Tenant
from mockserver.store.memory import MemoryStore
from mockserver.store.paging import Paging
from mockserver.store.records import Conversation, Item

TENANT = Tenant("bench")
SYLLABLES = [consonant + vowel for consonant in "bdfklmnrst" for vowel in "aeio"]
HAN = "".join(chr(code) for code in range(0x4E00, 0x4E00 + 1500))


class Corpus:
    """Short messages with words as frequent as in a language: the k-th word occurs about 1/k as often as the first."""

    def __init__(self, seed: int, vocabulary: int = 20_000) -> None:
        self._random = random.Random(seed)
        words: dict[str, None] = {}
        while len(words) < vocabulary:
            words["".join(self._random.choices(SYLLABLES, k=self._random.randint(1, 4)))] = None
        self.words = list(words)
        total = 0.0
        self._weights = [total := total + 1 / (rank + 2) for rank in range(vocabulary)]
        self._serial = 0

    def text(self) -> str:
        words = self._random.choices(self.words, cum_weights=self._weights, k=self._random.randint(4, 16))
        if self._random.random() < 0.05:
            words.append("".join(self._random.choices(HAN, k=8)))
        return " ".join(words)

    def message(self, text: str | None = None) -> Item:
        self._serial += 1
        item_id = f"msg_{self._random.getrandbits(128):032x}"
        part = {"type": "input_text", "text": self.text() if text is None else text}
        data = orjson.dumps({"type": "message", "role": "user", "id": item_id, "content": [part]})
        return Item(item_id, b"%b" % data)  # Copied, as in `ItemFactory`.


class Report:
    """Prints figures, each on a line of text or, with `as_json`, as a JSON object."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json

    def add(self, name: str, figure: str, **values: Any) -> None:
        text = f"{name:<74} {figure:>16}"
        line = orjson.dumps({"name": name, **values, "figure": figure}).decode() if self._as_json else text
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    def add_percentiles(self, subject: str, case: str, measured: Iterable[float]) -> None:
        ordered = sorted(measured)
        p50, p99 = ordered[len(ordered) // 2] * 1e3, ordered[len(ordered) * 99 // 100] * 1e3
        figure = f"{p50:.2f} / {p99:.2f} ms"
        self.add(f"{subject}: {case}, p50 / p99", figure, subject=subject, case=case, p50_ms=p50, p99_ms=p99)


def cpu_seconds(call: Callable[[], object]) -> float:
    started = time.thread_time()
    call()
    return time.thread_time() - started


def median_time(call: Callable[[], object], times: int = 200) -> str:
    measured = sorted(cpu_seconds(call) for _ in range(times))
    return f"{measured[times // 2] * 1e6:,.1f} us"


def resident_memory() -> int:
    """Return the resident memory of this process in bytes (Linux only)."""
    gc.collect()
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("cannot read the memory in use")


def conversation_id(number: int) -> str:
    return f"conv_{number:032x}"


def build_store(count: int) -> MemoryStore:
    store = MemoryStore()
    for number in range(count):
        metadata = {"all": "yes"}
        if number % (count // 3 + 1) == count // 5:
            metadata["three"] = "yes"
        if number % max(count // 1000, 1) == 0:
            metadata["thousand"] = "yes"
        store.create_conversation(TENANT, Conversation(conversation_id(number), 1, metadata), [])
    return store


def measure_add(report: Report) -> None:
    store = MemoryStore()
    corpus = Corpus(1)
    for number in range(100):
        store.create_conversation(TENANT, Conversation(conversation_id(number), 1, {}), [])
    for number in (0, 50):
        for _ in range(1000):
            store.add_items(TENANT, conversation_id(number), [corpus.message()])

    def run(label: str, ids: list[str]) -> None:
        batches = [[corpus.message()] for _ in range(20_000)]

        def add(part: list[list[Item]]) -> None:
            for index, items in enumerate(part):
                store.add_items(TENANT, ids[index % len(ids)], items)

        best = min(cpu_seconds(partial(add, batches[start : start + 1000])) for start in range(0, 20_000, 1000))
        report.add(label, f"{best * 1e3:.2f} us")

    run("add one message, the same conversation (best of 20 x 1,000)", [conversation_id(0)])
    run("add one message, two conversations in turn", [conversation_id(0), conversation_id(50)])
    store.conversations(TENANT, Paging(), search="ba")
    run("add one message, search in use", [conversation_id(0), conversation_id(50)])
    batches = [[corpus.message() for _ in range(20)] for _ in range(500)]
    report.add(
        "add 20 messages at once", median_time(lambda: store.add_items(TENANT, conversation_id(1), batches.pop()), 500)
    )


def measure_page(report: Report, most: int) -> None:
    for count in (1_000, 100_000, 1_000_000):
        if count > most:
            continue
        store = build_store(count)
        middle = conversation_id(count // 2)
        pages: list[tuple[str, Paging]] = [
            ("asc, first page", Paging(None, 20, "asc")),
            ("asc, mid-cursor", Paging(middle, 20, "asc")),
            ("desc, first page", Paging(None, 20, "desc")),
            ("desc, mid-cursor", Paging(middle, 20, "desc")),
        ]
        for which, page in pages:
            cost = median_time(partial(store.conversations, TENANT, page))
            report.add(f"page of 20 at {count:,} conversations, {which}", cost)
        for key in ("three", "thousand", "all"):
            cost = median_time(partial(store.conversations, TENANT, Paging(), [(key, "yes")]))
            report.add(f"page of 20 at {count:,} conversations, filter matching {key}", cost)
    store = build_store(most)
    numbers = random.Random(1).sample(range(most), most // 2)
    cost_of_all = cpu_seconds(lambda: [store.delete_conversation(TENANT, conversation_id(n), 2) for n in numbers])
    report.add(f"delete a conversation, mean of {most // 2:,}", f"{cost_of_all / len(numbers) * 1e6:.2f} us")
    report.add(f"page of 20 after {most // 2:,} deletes", median_time(lambda: store.conversations(TENANT, Paging())))
    at_deleted = Paging(conversation_id(numbers[0]))
    report.add("page of 20 from a deleted cursor", median_time(lambda: store.conversations(TENANT, at_deleted)))
    kept = sorted(set(range(most)) - set(numbers))
    cost_of_all = cpu_seconds(
        lambda: [
            store.update_metadata(TENANT, conversation_id(n), {"all": "yes"}) for n in kept[: len(kept) * 9 // 10]
        ]
    )
    report.add("update metadata, mean of 9 in 10 of those left", f"{cost_of_all / (len(kept) * 0.9) * 1e6:.2f} us")
    report.add("page of 20 after touching them", median_time(lambda: store.conversations(TENANT, Paging())))


def measure_search(report: Report, items: int, per_conversation: int) -> None:
    corpus = Corpus(2)
    store = MemoryStore()
    count = items // per_conversation
    for number in range(count):
        metadata = {"half": str(number % 2), "rare": str(number % 1000), "late": str(number * 2 // count)}
        store.create_conversation(TENANT, Conversation(conversation_id(number), 1, metadata), [])
    samples: list[str] = []
    ids: list[tuple[str, str]] = []
    for number in range(items):
        text = corpus.text()
        if number % 100 == 0:
            samples.append(text)
        item = corpus.message(text)
        ids.append((conversation_id(number % count), item.id))
        store.add_items(TENANT, conversation_id(number % count), [item])
    label = f"search {items:,} items in {count:,} conversations"
    first = cpu_seconds(lambda: store.conversations(TENANT, Paging(), search=corpus.words[0]))
    report.add(f"{label}: the first, which builds the index", f"{first:.2f} s")
    rng = random.Random(3)
    han = [word for text in samples for word in text.split() if not word.isascii()]

    def queries(kind: str) -> Iterator[tuple[str, list[tuple[str, str]], Paging]]:
        plain = Paging()
        for _ in range(300):
            sample = rng.choice(samples).split()
            at = rng.randrange(len(sample) - 2)
            deep = Paging(conversation_id(rng.randrange(count)), 20, rng.choice(["asc", "desc"]))
            match kind:
                case "common words":
                    yield rng.choice(corpus.words[:20]), [], plain
                case "two common words":
                    yield " ".join(rng.sample(corpus.words[:20], 2)), [], deep
                case "any word":
                    yield rng.choice(sample), [], deep
                case "three words of one message":
                    yield " ".join(rng.sample(sample, 3)), [], plain
                case "phrase":
                    yield f'"{" ".join(sample[at : at + 3])}"', [], plain
                case "phrase of common words":
                    yield f'"{" ".join(rng.choices(corpus.words[:20], k=3))}"', [], plain
                case "Han, two characters":
                    word = rng.choice(han)
                    yield word[2:4], [], plain
                case "Han, one character":
                    yield rng.choice(han)[0], [], deep
                case "common word, filter matching half":
                    yield rng.choice(corpus.words[:20]), [("half", "1")], deep
                case "common word, filter matching few":
                    yield rng.choice(corpus.words[:20]), [("rare", str(rng.randrange(1000)))], plain
                case "common word, filter matching the last half":
                    yield rng.choice(corpus.words[:200]), [("late", "1")], plain
                case "no match":
                    yield f"{rng.choice(corpus.words[:5])} nowhere", [], plain

    everything: list[float] = []
    for kind in (
        "common words",
        "two common words",
        "any word",
        "three words of one message",
        "phrase",
        "phrase of common words",
        "Han, two characters",
        "Han, one character",
        "common word, filter matching half",
        "common word, filter matching few",
        "common word, filter matching the last half",
        "no match",
    ):
        measured = [
            cpu_seconds(partial(store.conversations, TENANT, paging, metadata, search))
            for search, metadata, paging in queries(kind)
        ]
        everything += measured
        report.add_percentiles(label, kind, measured)
    report.add_percentiles(label, "all of these", everything)
    measured = []
    rng.shuffle(ids)
    for batch in range(200):
        for conversation, item_id in ids[batch * 300 : batch * 300 + 300]:
            store.delete_item(TENANT, conversation, item_id)
        for _ in range(10):
            store.add_items(TENANT, conversation_id(rng.randrange(count)), [corpus.message()])
        query = rng.choice(corpus.words[:100])
        measured.append(cpu_seconds(partial(store.conversations, TENANT, Paging(), search=query)))
    report.add_percentiles(label, "among writes", measured)


def measure_memory(report: Report, messages: int, per_conversation: int) -> None:
    corpus = Corpus(4)
    store = MemoryStore()
    before = resident_memory()
    size = 0
    for number in range(messages // per_conversation):
        store.create_conversation(TENANT, Conversation(conversation_id(number), 1, {}), [])
        for _ in range(per_conversation):
            item = corpus.message()
            size += len(item.data)
            store.add_items(TENANT, conversation_id(number), [item])
    label = f"{messages:,} messages, {per_conversation:,} in a conversation"
    report.add(f"{label}: data of one", f"{size / messages:,.0f} bytes")
    report.add(f"{label}: memory for one", f"{(resident_memory() - before) / messages:,.0f} bytes")
    took = cpu_seconds(lambda: store.conversations(TENANT, Paging(), search=corpus.words[0]))
    report.add(f"{label}: the same, with the search index", f"{(resident_memory() - before) / messages:,.0f} bytes")
    report.add(f"{label}: building that index", f"{took:.1f} s")
    cost = median_time(lambda: store.conversations(TENANT, Paging(), search=corpus.words[3]), 50)
    report.add(f"{label}: search for a common word", cost)
    cost = median_time(lambda: store.conversations(TENANT, Paging(), search=corpus.words[15_000]), 50)
    report.add(f"{label}: search for a rare word", cost)
    report.add(f"{label}: reset", f"{cpu_seconds(store.reset) * 1e3:.1f} ms")


def run_in_new_process(part: Callable[..., None], *arguments: object) -> None:
    """Run a part in a process of its own, because memory used by another part would distort the figures."""
    child = multiprocessing.get_context("spawn").Process(target=part, args=arguments)
    child.start()
    child.join()
    if child.exitcode:
        raise SystemExit(child.exitcode)


def measure_reset(report: Report) -> None:
    corpus = Corpus(5)
    for messages in (0, 20, 200, 1000):
        measured = []
        for _ in range(200):
            store = MemoryStore()
            for number in range(messages // 10):
                items = [corpus.message("hello") for _ in range(10)]
                store.create_conversation(TENANT, Conversation(conversation_id(number), 1, {"a": "b"}), items)
            measured.append(cpu_seconds(store.reset))
        report.add_percentiles("reset", f"after {messages:,} messages", measured)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["add", "page", "search", "memory", "reset"])
    parser.add_argument("--conversations", type=int, default=1_000_000, help="the most for the paging figures")
    parser.add_argument("--items", type=int, default=100_000, help="for the search figures")
    parser.add_argument("--messages", type=int, default=1_000_000, help="for the memory figures")
    parser.add_argument("--json", action="store_true", help="print a JSON object for each figure")
    arguments = parser.parse_args()
    report = Report(arguments.json)
    parts: dict[str, list[tuple[Callable[..., None], *tuple[int, ...]]]] = {
        "add": [(measure_add,)],
        "reset": [(measure_reset,)],
        "page": [(measure_page, arguments.conversations)],
        "search": [(measure_search, arguments.items, share) for share in (1, 10, 100)],
        "memory": [(measure_memory, arguments.messages, share) for share in (1000, 10)],
    }
    for name in [arguments.only] if arguments.only else parts:
        for part, *numbers in parts[name]:
            run_in_new_process(part, report, *numbers)


if __name__ == "__main__":
    main()
