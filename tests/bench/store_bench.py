"""How fast and how small the in-memory store is: `python tests/bench/store_bench.py --help`.

Prints one line for each figure. Times are CPU time, so that a busy machine does not count, and the median of many
calls unless the line says otherwise.
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

import orjson

from mockserver.context import Tenant
from mockserver.store.memory import MemoryStore
from mockserver.store.paging import Paging
from mockserver.store.protocol import Store
from mockserver.store.records import Conversation, Item

TENANT = Tenant("bench")
SYLLABLES = [consonant + vowel for consonant in "bdfklmnrst" for vowel in "aeio"]
HAN = "".join(chr(code) for code in range(0x4E00, 0x4E00 + 1500))


class Corpus:
    """Short messages whose words are as frequent as those of a language: the k-th word about 1/k of the first."""

    def __init__(self, seed: int, vocabulary: int = 20_000) -> None:
        self._random = random.Random(seed)
        made: dict[str, None] = {}
        while len(made) < vocabulary:
            made["".join(self._random.choices(SYLLABLES, k=self._random.randint(1, 4)))] = None
        self.words = list(made)
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
        shown = orjson.dumps({"type": "message", "role": "user", "id": item_id, "content": [part]})
        return Item(item_id, b"%b" % shown)  # A copy, as `ItemFactory` makes it.


def report(what: str, figure: str) -> None:
    sys.stdout.write(f"{what:<74} {figure:>16}\n")
    sys.stdout.flush()


def seconds(call: Callable[[], object]) -> float:
    started = time.thread_time()
    call()
    return time.thread_time() - started


def typical(call: Callable[[], object], times: int = 200) -> str:
    measured = sorted(seconds(call) for _ in range(times))
    return f"{measured[times // 2] * 1e6:,.1f} us"


def percentiles(measured: Iterable[float]) -> str:
    ordered = sorted(measured)
    return f"{ordered[len(ordered) // 2] * 1e3:.2f} / {ordered[len(ordered) * 99 // 100] * 1e3:.2f} ms"


def resident() -> int:
    """Bytes of memory this process holds (Linux)."""
    gc.collect()
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("cannot read the memory in use")


def conversation_id(number: int) -> str:
    return f"conv_{number:032x}"


def with_conversations(count: int) -> Store:
    store = MemoryStore()
    for number in range(count):
        metadata = {"all": "yes"}
        if number % (count // 3 + 1) == count // 5:
            metadata["three"] = "yes"
        if number % max(count // 1000, 1) == 0:
            metadata["thousand"] = "yes"
        store.create_conversation(TENANT, Conversation(conversation_id(number), 1, metadata), [])
    return store


def adding() -> None:
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

        best = min(seconds(partial(add, batches[start : start + 1000])) for start in range(0, 20_000, 1000))
        report(label, f"{best * 1e3:.2f} us")

    run("add one message, the same conversation (best of 20 x 1,000)", [conversation_id(0)])
    run("add one message, two conversations in turn", [conversation_id(0), conversation_id(50)])
    store.conversations(TENANT, Paging(), search="ba")
    run("add one message, search in use", [conversation_id(0), conversation_id(50)])
    batches = [[corpus.message() for _ in range(20)] for _ in range(500)]
    report("add 20 messages at once", typical(lambda: store.add_items(TENANT, conversation_id(1), batches.pop()), 500))


def paging(most: int) -> None:
    for count in (1_000, 100_000, 1_000_000):
        if count > most:
            continue
        store = with_conversations(count)
        middle = conversation_id(count // 2)
        pages: list[tuple[str, Paging]] = [
            ("asc, first page", Paging(None, 20, "asc")),
            ("asc, mid-cursor", Paging(middle, 20, "asc")),
            ("desc, first page", Paging(None, 20, "desc")),
            ("desc, mid-cursor", Paging(middle, 20, "desc")),
        ]
        for which, page in pages:
            cost = typical(partial(store.conversations, TENANT, page))
            report(f"page of 20 at {count:,} conversations, {which}", cost)
        for key in ("three", "thousand", "all"):
            cost = typical(partial(store.conversations, TENANT, Paging(), [(key, "yes")]))
            report(f"page of 20 at {count:,} conversations, filter matching {key}", cost)
    store = with_conversations(most)
    numbers = random.Random(1).sample(range(most), most // 2)
    cost_of_all = seconds(lambda: [store.delete_conversation(TENANT, conversation_id(n), 2) for n in numbers])
    report(f"delete a conversation, mean of {most // 2:,}", f"{cost_of_all / len(numbers) * 1e6:.2f} us")
    report(f"page of 20 after {most // 2:,} deletes", typical(lambda: store.conversations(TENANT, Paging())))
    at_deleted = Paging(conversation_id(numbers[0]))
    report("page of 20 from a deleted cursor", typical(lambda: store.conversations(TENANT, at_deleted)))
    kept = sorted(set(range(most)) - set(numbers))
    cost_of_all = seconds(
        lambda: [
            store.update_metadata(TENANT, conversation_id(n), {"all": "yes"}) for n in kept[: len(kept) * 9 // 10]
        ]
    )
    report("update metadata, mean of 9 in 10 of those left", f"{cost_of_all / (len(kept) * 0.9) * 1e6:.2f} us")
    report("page of 20 after touching them", typical(lambda: store.conversations(TENANT, Paging())))


def searching(items: int, per_conversation: int) -> None:
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
    label = f"search, {items:,} items in {count:,} conversations"
    first = seconds(lambda: store.conversations(TENANT, Paging(), search=corpus.words[0]))
    report(f"{label}: the first, which builds the index", f"{first:.2f} s")
    rng = random.Random(3)
    han = [word for text in samples for word in text.split() if not word.isascii()]

    def of(kind: str) -> Iterator[tuple[str, list[tuple[str, str]], Paging]]:
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
            seconds(partial(store.conversations, TENANT, paging, metadata, search))
            for search, metadata, paging in of(kind)
        ]
        everything += measured
        report(f"{label}: {kind}, p50 / p99", percentiles(measured))
    report(f"{label}: all of these, p50 / p99", percentiles(everything))
    measured = []
    rng.shuffle(ids)
    for batch in range(200):
        for conversation, item_id in ids[batch * 300 : batch * 300 + 300]:
            store.delete_item(TENANT, conversation, item_id)
        for _ in range(10):
            store.add_items(TENANT, conversation_id(rng.randrange(count)), [corpus.message()])
        query = rng.choice(corpus.words[:100])
        measured.append(seconds(partial(store.conversations, TENANT, Paging(), search=query)))
    report(f"{label}: among writes, p50 / p99", percentiles(measured))


def memory(messages: int, per_conversation: int) -> None:
    corpus = Corpus(4)
    store = MemoryStore()
    before = resident()
    size = 0
    for number in range(messages // per_conversation):
        store.create_conversation(TENANT, Conversation(conversation_id(number), 1, {}), [])
        for _ in range(per_conversation):
            item = corpus.message()
            size += len(item.data)
            store.add_items(TENANT, conversation_id(number), [item])
    label = f"{messages:,} messages, {per_conversation:,} in a conversation"
    report(f"{label}: data of one", f"{size / messages:,.0f} bytes")
    report(f"{label}: memory for one", f"{(resident() - before) / messages:,.0f} bytes")
    took = seconds(lambda: store.conversations(TENANT, Paging(), search=corpus.words[0]))
    report(f"{label}: the same, with the search index", f"{(resident() - before) / messages:,.0f} bytes")
    report(f"{label}: building that index", f"{took:.1f} s")
    cost = typical(lambda: store.conversations(TENANT, Paging(), search=corpus.words[3]), 50)
    report(f"{label}: search for a common word", cost)
    cost = typical(lambda: store.conversations(TENANT, Paging(), search=corpus.words[15_000]), 50)
    report(f"{label}: search for a rare word", cost)
    report(f"{label}: reset", f"{seconds(store.reset) * 1e3:.1f} ms")


def in_new_process(part: Callable[..., None], *arguments: int) -> None:
    """Memory that an earlier part has used would hide what this one takes."""
    child = multiprocessing.get_context("spawn").Process(target=part, args=arguments)
    child.start()
    child.join()
    if child.exitcode:
        raise SystemExit(child.exitcode)


def resetting() -> None:
    corpus = Corpus(5)
    for messages in (0, 20, 200, 1000):
        measured = []
        for _ in range(200):
            store = MemoryStore()
            for number in range(messages // 10):
                items = [corpus.message("hello") for _ in range(10)]
                store.create_conversation(TENANT, Conversation(conversation_id(number), 1, {"a": "b"}), items)
            measured.append(seconds(store.reset))
        report(f"reset after {messages:,} messages, p50 / p99", percentiles(measured))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["adding", "paging", "searching", "memory", "resetting"])
    parser.add_argument("--conversations", type=int, default=1_000_000, help="the most for the paging figures")
    parser.add_argument("--items", type=int, default=100_000, help="for the search figures")
    parser.add_argument("--messages", type=int, default=1_000_000, help="for the memory figures")
    arguments = parser.parse_args()
    parts: dict[str, list[tuple[Callable[..., None], *tuple[int, ...]]]] = {
        "adding": [(adding,)],
        "resetting": [(resetting,)],
        "paging": [(paging, arguments.conversations)],
        "searching": [(searching, arguments.items, share) for share in (1, 10, 100)],
        "memory": [(memory, arguments.messages, share) for share in (1000, 10)],
    }
    for name in [arguments.only] if arguments.only else parts:
        for part, *numbers in parts[name]:
            in_new_process(part, *numbers)


if __name__ == "__main__":
    main()
