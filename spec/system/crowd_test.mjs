// Many clients of one server: idle connections and what they cost, fan-out, a hundred writers, readers that
// do not read. CROWD and WRITERS change the numbers.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import { after, before, test } from "node:test";
import { luaPaths, Server, start, temporary, within } from "../interop/harness.mjs";
import { RawClient } from "./raw_client.mjs";
import { lua, schemaChangeset, tokens } from "./support.mjs";

const CROWD = Number(process.env.CROWD ?? 1000);
const WRITERS = Number(process.env.WRITERS ?? 100);
const WRITES = Number(process.env.WRITES ?? 3); // of each writer

let server, token;
const crowd = [];
const open = [];

before(async () => {
  server = await new Server({ config: 'log = { level = "error" },' }).start();
  [token] = tokens(server, ["crowd"]);
});

after(async () => {
  for (const client of [...crowd, ...open]) await client.close();
  if (server) await server.stop();
});

function client() {
  const made = new RawClient(server, token);
  open.push(made);
  return made;
}

// A figure of the server process from /proc, in kB: VmRSS (now), VmHWM (the most so far).
function memory(field) {
  return Number(fs.readFileSync(`/proc/${server.process.pid}/status`, "utf8").match(new RegExp(`${field}:\\s+(\\d+)`))[1]);
}

async function gather(partition, count, list) {
  for (let at = 0; at < count; at += 50) {
    const some = [];
    for (let i = at; i < Math.min(count, at + 50); i++) some.push(new RawClient(server, token));
    list.push(...some);
    await Promise.all(some.map((one) => one.join(partition)));
  }
}

test(`${CROWD} connections with idle sessions`, { timeout: 120000 }, async (t) => {
  const warm = [];
  await gather("warm", 100, warm);
  const before = memory("VmRSS");
  const began = performance.now();
  await gather("crowd", CROWD, crowd);
  const seconds = (performance.now() - began) / 1000;
  const each = (memory("VmRSS") - before) / CROWD;
  t.diagnostic(`${CROWD} idle connections: ${each.toFixed(1)} kB each at the server, ${Math.round(CROWD / seconds)} made per second`);
  assert.ok(each < 200, `${each} kB per idle connection`);
  assert.ok(crowd.every((one) => !one.end));
  await crowd[CROWD >> 1].ping();
  for (const one of warm) await one.close();
});

// One author, `count` readers: from sending the UPLOAD to the arrival of the DOWNLOAD at each.
async function fanOut(t, partition, readers, session, rounds) {
  const author = await client().join(partition);
  let version = 0, missing, done, last;
  for (const reader of readers)
    reader.onMessage = (message) => {
      if (message.type !== "download" || Number(message.fields[0]) !== session || Number(message.fields[1]) < version) return false;
      last.push(performance.now());
      if (--missing === 0) done();
      return true;
    };
  const halves = [], ends = [];
  for (let round = 1; round <= rounds; round++) {
    [version, missing, last] = [author.latest + round, readers.length, []];
    const all = new Promise((resolve) => (done = resolve));
    const began = performance.now();
    author.upload([schema], { from: round });
    await within(all, 30, `fan-out to ${readers.length}`);
    halves.push(last[last.length >> 1] - began);
    ends.push(last[last.length - 1] - began);
  }
  const median = (list) => list.sort((a, b) => a - b)[list.length >> 1].toFixed(1);
  t.diagnostic(`fan-out 1 to ${readers.length}: half of the readers after ${median(halves)} ms, all after ${median(ends)} ms (median of ${rounds})`);
  for (const reader of readers) reader.onMessage = undefined;
}

let schema;
test("a change reaches every reader", { timeout: 120000 }, async (t) => {
  schema = schemaChangeset("k");
  for (const [session, count] of [[2, 1], [3, 10], [4, 100]]) {
    const readers = crowd.slice(0, count);
    await Promise.all(readers.map((one) => one.join(`fan ${count}`, { session })));
    await fanOut(t, `fan ${count}`, readers, session, 15);
  }
  await fanOut(t, "crowd", crowd, 1, 10);
  for (const one of crowd) await one.close();
});

test(`${WRITERS} writers to one realm converge`, { timeout: 200000 }, async (t) => {
  const users = tokens(server, Array.from({ length: WRITERS }, (_, i) => `writer${i}`));
  const url = server.baseUrl.replace(/^http/, "ws");
  const began = performance.now();
  const devices = start(lua, ["spec/system/crowd.lua", temporary("crowd"), url, server.ca, String(WRITES)], {
    env: { ...process.env, ...luaPaths() },
  });
  let said = "";
  devices.stdout.on("data", (data) => (said += data));
  devices.stdin.end(users.join("\n") + "\n");
  assert.equal(await within(devices.ended, 190, "the writers"), 0, devices.errors);
  const all = WRITERS * WRITES;
  assert.equal(said.trim().replace(/\s+/g, " "), `devices ${WRITERS} states 1 writes ${all} order ${all} items ${all}`);
  t.diagnostic(`${WRITERS} devices, ${all} writes, everywhere the same after ${((performance.now() - began) / 1000).toFixed(1)} s`);
});

// Changesets of about `size` octets that compression makes hardly smaller.
function incompressible(count, size) {
  const pattern = schemaChangeset("large", size);
  const at = pattern.indexOf("t".repeat(100));
  return Array.from({ length: count }, () => {
    const bytes = Buffer.from(pattern);
    bytes.write(randomBytes(size).toString("base64").slice(0, size), at, "latin1");
    return bytes;
  });
}

test("readers that do not read cost the others nothing, and the server little", { timeout: 120000 }, async (t) => {
  const SIZE = 400000, ROUNDS = 45;
  const changesets = incompressible(ROUNDS, SIZE);
  // Uploads one changeset after the other; the next when all fast readers have it.
  const run = async (partition, rounds, slow) => {
    const fast = [];
    await gather(partition, 3, fast);
    const author = await client().join(partition);
    const times = [];
    for (const [i, changeset] of changesets.slice(0, rounds).entries()) {
      const began = performance.now();
      author.upload([changeset], { from: i + 1 });
      await Promise.all(
        fast.map(async (one) => {
          while (Number((await one.next("download")).fields[1]) < i + 1);
        }),
      );
      times.push(performance.now() - began);
    }
    for (const one of fast) await one.close();
    for (const one of slow) assert.equal(one.end, undefined);
    return times.sort((a, b) => a - b)[times.length >> 1];
  };

  const alone = await run("fast alone", 12, []);
  const before = memory("VmHWM");
  const slow = [];
  await gather("with slow", 4, slow);
  for (const one of slow) one.socket.pause();
  const together = await run("with slow", ROUNDS, slow);
  const growth = memory("VmHWM") - before;
  const unread = (slow.length * ROUNDS * SIZE) / 1024;
  t.diagnostic(`fast readers: ${alone.toFixed(1)} ms per change alone, ${together.toFixed(1)} ms beside ${slow.length} that do not read; ` +
    `server at most ${growth} kB more, ${Math.round(unread)} kB unread`);
  assert.ok(growth < slow.length * 8000, `the server keeps ${growth} kB for ${slow.length} readers`);
  for (const one of slow) one.socket.resume();
  for (const one of slow) {
    let version = 0;
    while (version < ROUNDS) version = Number((await one.next("download", 30)).fields[1]);
    await one.close();
  }
});
