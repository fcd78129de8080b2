// Runs the module that the command line names, and pushes from timers of the event loop, as a browser would.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { setImmediate } from "node:timers/promises";

const { instance } = await WebAssembly.instantiate(readFileSync(process.argv[2]));
const { start, push, permit, stop, run, tasks } = instance.exports;
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
stop(app);
assert(!push(app, 0), "the list is stopped");
assert.equal(run(app), 3 * numbers);
assert.equal(tasks(app), 0, "every task has completed");
console.log(`wasm32: ${3 * numbers} numbers came out in order`);
