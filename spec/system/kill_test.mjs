// Nothing acknowledged is lost: server and devices are killed (SIGKILL) at random moments under load and
// started again; in the end all copies are equal and hold every reported write exactly once.
// KILLS and SEED change the defaults.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import readline from "node:readline";
import { after, test } from "node:test";
import { luaPaths, root, Server, start, temporary, within } from "../interop/harness.mjs";

const KILLS = Number(process.env.KILLS ?? 60);
const SEED = Number(process.env.SEED ?? 1);

// mulberry32: a small generator, so that a seed repeats the choices.
function generator(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

class Writer {
  constructor(name, server, dir, token) {
    Object.assign(this, { name, server, dir, token, reported: 0 });
  }
  start() {
    const { name, server, dir, token } = this;
    const url = server.baseUrl.replace(/^http/, "ws");
    const args = ["spec/system/writer.lua", path.join(dir, `${name}.db`), url, server.ca, token, name, path.join(dir, "stop")];
    this.lines = {};
    this.process = start(process.env.LUA ?? "lua5.4", args, { env: { ...process.env, ...luaPaths() } });
    this.opened = new Promise((resolve) => (this.whenOpened = resolve));
    this.uploaded = new Promise((resolve) => (this.whenUploaded = resolve));
    readline.createInterface({ input: this.process.stdout }).on("line", (line) => {
      const [word, value, ...rest] = line.split(" ");
      if (word === "wrote") this.reported = Math.max(this.reported, Number(value));
      if (word === "opened") {
        // A write that was reported before the kill must be there after it.
        if (Number(value) < this.reported) this.loss = `${name}: reported ${this.reported}, found ${value}`;
        this.whenOpened();
      }
      if (word === "uploaded") this.whenUploaded();
      this.lines[word] = [value, ...rest];
    });
    return this.opened;
  }
  async kill() {
    this.process.kill("SIGKILL");
    await this.process.ended;
  }
}

let server;
after(async () => {
  if (server) await server.stop();
});

test(`nothing acknowledged is lost in ${KILLS} kills (seed ${SEED})`, { timeout: 600000 }, async (t) => {
  const random = generator(SEED);
  const pause = () => new Promise((resolve) => setTimeout(resolve, 30 + random() * 250));
  server = await new Server({ config: 'log = { level = "error" },' }).start();
  const dir = temporary("kills");
  const token = execFileSync(
    process.env.LUA ?? "lua5.4",
    ["bin/syncline", "token", "--storage", path.join(server.dir, "data"), "--app", "interop-app", "--user", "killer", "--lifetime", "86400"],
    { cwd: root, env: { ...process.env, ...luaPaths() }, encoding: "utf8" },
  ).trim();
  const writers = ["a", "b", "c"].map((name) => new Writer(name, server, dir, token));
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
