// Bad networks: two devices behind proxies that cut, reset, freeze, delay and throttle their connections to
// the server, all over TLS. When that ends both have everything, each write exactly once.
// ROUNDS and SEED change the defaults.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, test } from "node:test";
import { Server, temporary, within } from "../interop/harness.mjs";
import { FAULTS, Proxy } from "./proxy.mjs";
import { generator, tokens, Writer } from "./support.mjs";

const ROUNDS = Number(process.env.ROUNDS ?? 1);
const SEED = Number(process.env.SEED ?? 1);

let server;
const proxies = [];
after(async () => {
  for (const proxy of proxies) proxy.close();
  if (server) await server.stop();
});

function shuffled(list, random) {
  const out = [...list];
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [out[i], out[j]] = [out[j], out[i]];
  }
  return out;
}

test(`every write arrives exactly once over bad links, ${ROUNDS} rounds of ${FAULTS.length} faults (seed ${SEED})`, { timeout: 400000 + ROUNDS * 100000 }, async (t) => {
  const random = generator(SEED);
  server = await new Server({ config: 'log = { level = "error" },' }).start();
  const dir = temporary("links");
  const users = tokens(server, ["a", "b"]);
  const writers = [];
  for (const [i, name] of ["a", "b"].entries()) {
    const proxy = await new Proxy(server.port, random).listen();
    proxies.push(proxy);
    const url = `wss://localhost:${proxy.port}`;
    // Timers as short as the faults are frequent.
    const options = "connect_timeout=1,ping_period=0.3,pong_timeout=1";
    writers.push(new Writer(name, { url, ca: server.ca, dir, token: users[i], options }));
  }

  const struck = proxies.map((proxy) => {
    const list = [];
    for (let round = 0; round < ROUNDS; round++) list.push(...shuffled(FAULTS, random));
    return proxy.faults(list);
  });
  for (const writer of writers) await within(writer.start(), 20, "device start");
  const seconds = 60 + ROUNDS * 60;
  for (const [i, proxy] of proxies.entries())
    await within(struck[i], seconds, "the faults").catch((error) => {
      error.message += ` (${JSON.stringify(proxy.counts)}, next ${proxy.plan}); ${writers[i].process.errors}`;
      throw error;
    });
  const duringFaults = writers.map((writer) => writer.reported);

  fs.writeFileSync(path.join(dir, "stop"), "");
  const failed = (writer) => writer.process.ended.then((code) => Promise.reject(new Error(`${writer.name} ended (${code}): ${writer.process.errors}`)));
  for (const writer of writers) await within(Promise.race([writer.uploaded, failed(writer)]), 90, `upload of ${writer.name}`);
  for (const writer of writers) writer.process.stdin.write("\n");
  for (const writer of writers) assert.equal(await within(writer.process.ended, 90, "device end"), 0, writer.process.errors);

  const totals = writers.map((writer) => writer.lines.total.map(Number));
  const [writes, , items] = totals[0];
  t.diagnostic(`${writes} writes; faults ${JSON.stringify(proxies[0].counts)}, ${proxies[0].connections + proxies[1].connections} connections`);
  for (const proxy of proxies) assert.equal(Object.keys(proxy.counts).length, FAULTS.length, "every fault struck");
  assert.ok(Math.min(...duringFaults) > 0, "devices write while they have no network");
  assert.equal(writers[0].lines.state[0], writers[1].lines.state[0], "both copies are equal");
  assert.equal(writes, items, "each write happened exactly once");
  assert.equal(items, writers[0].reported + writers[1].reported, "no write is missing");
});
