// Nothing acknowledged is lost: server and devices are killed (SIGKILL) at random moments under load and
// started again; in the end all copies are equal and hold every reported write exactly once.
// KILLS and SEED change the defaults.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, test } from "node:test";
import { Server, temporary, within } from "../interop/harness.mjs";
import { generator, tokens, Writer } from "./support.mjs";

const KILLS = Number(process.env.KILLS ?? 60);
const SEED = Number(process.env.SEED ?? 1);

let server;
after(async () => {
  if (server) await server.stop();
});

test(`nothing acknowledged is lost in ${KILLS} kills (seed ${SEED})`, { timeout: 600000 }, async (t) => {
  const random = generator(SEED);
  const pause = () => new Promise((resolve) => setTimeout(resolve, 30 + random() * 250));
  server = await new Server({ config: 'log = { level = "error" },' }).start();
  const dir = temporary("kills");
  const [token] = tokens(server, ["killer"]);
  const url = server.baseUrl.replace(/^http/, "ws");
  const writers = ["a", "b", "c"].map((name) => new Writer(name, { url, ca: server.ca, dir, token }));
  for (const writer of writers) await within(writer.start(), 20, "device start");

  for (let kill = 0; kill < KILLS; kill++) {
    await pause();
    const victim = Math.floor(random() * (writers.length + 1));
    if (victim === writers.length) {
      await server.stop("SIGKILL");
      await pause();
      await server.start();
    } else {
      const writer = writers[victim];
      await writer.kill();
      await within(writer.start(), 20, "device restart");
      assert.equal(writer.loss, undefined);
    }
  }

  fs.writeFileSync(path.join(dir, "stop"), "");
  const failed = (writer) => writer.process.ended.then((code) => Promise.reject(new Error(`${writer.name} ended (${code}): ${writer.process.errors}`)));
  for (const writer of writers) await within(Promise.race([writer.uploaded, failed(writer)]), 90, `upload of ${writer.name}`);
  for (const writer of writers) writer.process.stdin.write("\n");
  for (const writer of writers) assert.equal(await within(writer.process.ended, 90, "device end"), 0, writer.process.errors);

  const totals = writers.map((writer) => writer.lines.total.join(" "));
  const states = writers.map((writer) => writer.lines.state[0]);
  assert.deepEqual(states, [states[0], states[0], states[0]], "all copies are equal");
  const [writes, , items] = writers[0].lines.total.map(Number);
  t.diagnostic(`${writes} writes, ${totals[0]}`);
  assert.equal(writes, items, "each write happened exactly once");
  const reported = writers.reduce((sum, writer) => sum + writer.reported, 0);
  assert.ok(items >= reported, `${reported} writes were reported, ${items} are there`);
});
