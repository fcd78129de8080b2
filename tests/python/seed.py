"""Runs the scenarios of tests/tests/seed/scenarios.rs through the Python package: the same steps, the same lines."""

import asyncio
import itertools
import json
import logging

# `join_aiters` of the package passes a coroutine to `asyncio.wait`, which Python 3.11 and later refuse.
_wait = asyncio.wait
asyncio.wait = lambda jobs, **kw: _wait([asyncio.ensure_future(job) for job in jobs], **kw)
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
logging.disable(logging.CRITICAL)

from aiter import (  # noqa: E402
    active_aiter, aiter_forker, aiter_to_iter, azip, flatten_aiter, gated_aiter, iter_to_aiter, join_aiters,
    map_aiter, map_filter_aiter, preload_aiter, push_aiter, sharable_aiter, stoppable_aiter,
)

ROWS = [[0, 0, 0, 7], [5, 0, 0, 0], [0, 0, 1, 0], [1, 1, 1, 1], [2, 0, 0, 1], [3, 1, 2, 0]]
PATIENCE = 0.1  # seconds after which no further item comes


def run(coroutine):
    return loop.run_until_complete(coroutine)


async def collect(aiter, n):
    items = []
    if n:
        async for item in aiter:
            items.append(item)
            if len(items) == n:
                break
    return items


def take(aiter, n):
    return run(collect(aiter, n))


def rest(aiter):
    return take(aiter, -1)


def pending(*aiters):
    """A task for the next item of each stream, after they had time to get one."""
    tasks = [asyncio.ensure_future(collect(aiter, 1), loop=loop) for aiter in aiters]
    run(_wait(tasks, timeout=PATIENCE))
    return tasks


def push(note):
    q = push_aiter()
    note("len of none", len(q))
    q.push(5, 4)
    note("len of two", len(q))
    q.push(3)
    note("len of three", len(q))
    for n in 0, 3, 4:
        note(f"is len at least {n}", q.is_len_at_least(n))
    note("is an item available", q.is_item_available())
    q.stop()
    try:
        q.push(2)
        note("push after stop", "taken")
    except ValueError:
        note("push after stop", "refused")
    note("is stopped, with items left", q.is_stopped())
    note("available", list(q.available_iter()))
    note("items", rest(q))
    note("is stopped at the end", q.is_stopped())
    note("is len at least 0 at the end", q.is_len_at_least(0))


def fork_after_partial_reading(note):
    q = push_aiter()
    forker = aiter_forker(q)
    q.push(1, 2, 3, 4, 5)
    note("first three", take(forker, 3))
    fork = forker.fork()
    q.push(*range(7, 14))
    q.stop()
    note("the forker's rest", rest(forker))
    note("the fork's", rest(fork))


def two_active_forks_wait(note):
    q = push_aiter()
    forker = aiter_forker(q)
    tasks = pending(forker.fork(is_active=True), forker.fork(is_active=True))
    for task in tasks:
        note("has an item before the push", task.done())
    q.push(1)
    for task in tasks:
        note("item", run(task))


def passive_fork(note):
    q = push_aiter()
    forker = aiter_forker(q)
    passive = forker.fork(is_active=False)
    q.push(1, 2)
    task, = pending(passive)
    note("passive has an item before the active one asks", task.done())
    note("active", take(forker, 1))
    note("passive", run(task))


def passive_fork_alone(note):
    q = push_aiter()
    forker = aiter_forker(q)
    passive = forker.fork(is_active=False)
    q.push(1, 2)
    note("active", take(forker, 1))
    del forker
    note("passive", take(passive, 1))
    task, = pending(passive)
    note("passive waits on", not task.done())


def zip_(note):
    rows = azip(iter_to_aiter("abcdefgh"), iter_to_aiter(range(20)), iter_to_aiter(map(str, range(20))))
    note("rows", ["%s %s %s" % row for row in rest(rows)])


def cancelled_wait(note):
    q = push_aiter()
    task, = pending(q)
    task.cancel()
    run(_wait([task], timeout=PATIENCE))
    try:
        q.push(1)
        note("items", take(q, 1))
    except ValueError:
        note("items", [])


def flatten(note):
    q = push_aiter()
    flat = flatten_aiter(q)
    q.push([0, 1, 2, 3])
    note("three", take(flat, 3))
    q.push([4, 5, 6, 7])
    note("five more", take(flat, 5))
    q.stop()
    note("rest", rest(flat))


def flatten_flattened(note):
    q = push_aiter()
    flat = flatten_aiter(flatten_aiter(q))
    q.push([[0, 0, 1, 0], [1, 1, 1, 1], [2, 0, 0, 1], [3, 1, 2, 0], [0, 0, 0, 7]])
    note("eleven", take(flat, 11))
    note("eight more", take(flat, 8))
    q.stop()
    note("rest", rest(flat))


def filter_pipeline(note):
    async def not_zero(rows):
        return [n for row in rows for n in row if n != 0]

    q = push_aiter()
    numbers = flatten_aiter(map_aiter(not_zero, q))
    q.push(ROWS)
    q.stop()
    note("numbers", take(numbers, 12))


def gate(note):
    gated = gated_aiter(iter_to_aiter(range(3000000000)))
    gated.push(9)
    note("three", take(gated, 3))
    note("four more", take(gated, 4))
    gated.push(11)
    gated.stop()
    note("rest", rest(gated))


def gate_at_rest(note):
    pulled = itertools.count()

    def numbers():
        for n in range(100):
            next(pulled)
            yield n

    gated = gated_aiter(iter_to_aiter(numbers()))
    gated.push(9)
    note("nine", take(gated, 9))
    task, = pending(gated)
    note("passes a tenth", task.done())
    note("pulled from the source", next(pulled))


def join(note):
    joined = rest(join_aiters(iter_to_aiter([iter_to_aiter(range(1, 5)), iter_to_aiter(range(11, 18))])))
    note("the first's", [n for n in joined if n < 10])
    note("the second's", [n for n in joined if n >= 10])


def join_that_grows(note):
    main = push_aiter()
    joined = join_aiters(main)
    children = [push_aiter()]
    children[0].push(100)
    main.push(children[0])
    note("one stream", take(joined, 1))

    children.append(push_aiter())
    children[0].push(101)
    children[1].push(200, 201)
    main.push(children[1])
    note("two streams", sorted(take(joined, 3)))

    for _ in range(3):
        children.append(push_aiter())
        main.push(children[-1])
    for n, child in enumerate(children):
        child.push((n + 1) * 100, (n + 1) * 100 + 1)
    note("five streams", sorted(take(joined, 10)))

    children[4].push(5000)
    main.stop()
    note("after the main stream stopped", take(joined, 1))

    for child in children:
        child.push(99)
        child.stop()
    note("rest", rest(joined))


def map_with_futures(note):
    seen = []

    async def f(item):
        seen.append(item)
        return item + 1

    q = push_aiter()
    q.push(5, 4, 3)
    q.stop()
    note("available", list(q.available_iter()))
    note("items", rest(map_aiter(f, q)))
    note("seen", seen)


def map_with_values(note):
    seen = []

    def f(item):
        seen.append(item)
        return item + 1

    q = push_aiter()
    q.push(5, 4, 3)
    q.stop()
    note("items", rest(map_aiter(f, q)))
    note("seen", seen)


def map_in_a_pipe(note):
    async def square(n):
        await asyncio.sleep(n / 100)
        return n * n

    q = push_aiter()
    squares = map_aiter(square, q)
    q.push(*range(4), *range(3, 9))
    note("ten", take(squares, 10))
    q.stop()
    note("rest", rest(squares))


def map_that_fails(note):
    mapped = map_aiter(lambda n: 10 // n, iter_to_aiter([1, 0, 2]))
    note("first", take(mapped, 1))
    note("after a failure", take(mapped, 1))
    note("rest", rest(mapped))


def map_filter(note):
    note("as often as they say", rest(map_filter_aiter(lambda n: [n] * n, iter_to_aiter(range(4)))))


def delayed_pipeline(note):
    def nap(at):
        async def wait(row):
            await asyncio.sleep(row[at] / 10)
            return row
        return wait

    q = push_aiter()
    rows = q
    for at in 3, 2, 1, 0:
        rows = map_aiter(nap(at), rows, 10)
    q.push(*ROWS)
    q.stop()
    note("rows", rest(rows))


def preload(note):
    q = push_aiter()
    q.push(*range(1000))
    q.stop()
    note("left before", len(q))
    preloaded = preload_aiter(50, q)
    note("left when it is made", len(q))
    note("one", take(preloaded, 1))
    note("left after one", len(q))
    note("ten", take(preloaded, 10))
    note("left after eleven", len(q))
    note("the others are all there", rest(preloaded) == list(range(11, 1000)))
    note("left", len(q))


def active(note):
    q = push_aiter()
    aiter = active_aiter(q)
    q.push(1, 2, 3)
    run(asyncio.sleep(PATIENCE))
    note("pulled unasked", len(q) == 0)
    q.stop()
    note("items", take(aiter, 9))


def share(note):
    shared = sharable_aiter(iter_to_aiter(range(7)))
    for n in range(3):
        note(f"round {n}", [item for _ in range(3) for item in take(shared, 1)])


def stoppable(note):
    q = push_aiter()
    aiter = stoppable_aiter(q.__aiter__())
    q.push(1, 2)
    note("one", take(aiter, 1))
    aiter.stop()
    note("after stop", rest(aiter))

    aiter = stoppable_aiter(push_aiter().__aiter__())
    task, = pending(aiter)
    aiter.stop()
    run(_wait([task], timeout=PATIENCE))
    note("a waiting task is woken", task.done())


def to_iter(note):
    note("items", list(aiter_to_iter(iter_to_aiter(range(5)), loop)))


SCENARIOS = {
    "push": push,
    "fork after partial reading": fork_after_partial_reading,
    "two active forks wait": two_active_forks_wait,
    "passive fork": passive_fork,
    "passive fork alone": passive_fork_alone,
    "cancelled wait": cancelled_wait,
    "zip": zip_,
    "flatten": flatten,
    "flatten flattened": flatten_flattened,
    "filter pipeline": filter_pipeline,
    "gate": gate,
    "gate at rest": gate_at_rest,
    "join": join,
    "join that grows": join_that_grows,
    "map async": map_with_futures,
    "map sync": map_with_values,
    "map in a pipe": map_in_a_pipe,
    "map that fails": map_that_fails,
    "map filter": map_filter,
    "delayed pipeline": delayed_pipeline,
    "preload": preload,
    "active": active,
    "share": share,
    "stoppable": stoppable,
    "to iter": to_iter,
}

for name, scenario in SCENARIOS.items():
    scenario(lambda step, value: print(f"{name} / {step}: {json.dumps(value)}"))
logging.disable(logging.NOTSET)
logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # the loop destroys tasks that still wait
