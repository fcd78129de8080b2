// Runs the module that the command line names, and pushes from timers of the event loop, as a browser would.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { setImmediate, setTimeout as sleep } from "node:timers/promises";

const host = {
    set_timeout(alarm, millis) {
        setTimeout(() => {
            ring(alarm);
            run(app);
        }, millis);
    },
};
const { instance } = await WebAssembly.instantiate(readFileSync(process.argv[2]), { host });
const { start, push, permit, stop, run, tasks, ring, batched, newest } = instance.exports;
const app = start();
const numbers = 1000;
let permitted = 0;
assert.equal(run(app), 0, "nothing was pushed");
for (let number = 0; number < numbers; number++) {
    await setImmediate();
    assert(push(app, number));
    if (number % 8 == 7) {
        permit(app, 8);
        permitted += 8;
    }
    assert.equal(run(app), 2 * (number + 1) + permitted, "two ungated streams, and the gated one");
}
// Only timers run the tasks now: the last batch comes after 2 ms, and the newest number after 5.
assert(batched() >= numbers - 100, "a batch is full at a hundred");
while (newest() != numbers - 1) {
    await sleep(1);
}
assert.equal(batched(), numbers);
push(app, numbers);
stop(app);
assert(!push(app, 0), "the list is stopped");
assert.equal(run(app), 3 * numbers + 2);
assert.equal(batched(), numbers + 1, "the tail comes with the end");
assert.equal(newest(), numbers, "and so does the newest number");
assert.equal(tasks(app), 0, "every task has completed");
console.log(`wasm32: ${3 * numbers} numbers came out in order, and as many as were pushed in batches of a timer`);
