// Two machines with a cable in between, as far as one kernel goes: network namespaces joined by a veth pair, and
// tc in charge of the cable. Packets are late, lost and out of order, the cable is slow, and pulled out, which
// neither side is told; everything over TLS. Where the kernel does not permit namespaces the test says "skipped":
// links_test.mjs does the same with a proxy, above TCP.
// SECONDS and SEED change the defaults.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { after, test } from "node:test";
import { Server, temporary, within } from "../interop/harness.mjs";
import { generator, tokens, Writer } from "./support.mjs";

const SECONDS = Number(process.env.SECONDS ?? 12);
const SEED = Number(process.env.SEED ?? 1);
const near = `syncline-s${process.pid}`, far = `syncline-c${process.pid}`;
const ADDRESS = "10.213.77.1";

const run = (command, ...args) => execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
const inside = (name, ...args) => run("ip", "netns", "exec", name, ...args);

// Undefined if it works, else why not.
function connectMachines() {
  try {
    for (const name of [near, far]) run("ip", "netns", "add", name);
    run("ip", "link", "add", "cable", "netns", near, "type", "veth", "peer", "name", "cable", "netns", far);
    for (const [name, address] of [[near, ADDRESS], [far, "10.213.77.2"]]) {
      run("ip", "-n", name, "addr", "add", `${address}/24`, "dev", "cable");
      for (const device of ["lo", "cable"]) run("ip", "-n", name, "link", "set", device, "up");
    }
  } catch (error) {
    return String(error.stderr || error.message).trim();
  }
}

const tc = (name, ...args) => inside(name, "tc", ...args);
const clear = (name) => {
  try {
    tc(name, "qdisc", "del", "dev", "cable", "root");
  } catch {} // there was none
};

// Passes a share of the packets to class 1:2, the others to 1:1; or, with `drop`, nothing for that share: a
// classic BPF program that draws a number for each.
function draw(name, share, drop) {
  const limit = Math.floor(share * 2 ** 32);
  const [rare, usual] = drop ? [2, 0xffffffff] : [0x10002, 0x10001];
  const program = `4,32 0 0 ${0xfffff038},53 1 0 ${limit},6 0 0 ${rare},6 0 0 ${usual}`;
  tc(name, "filter", "add", "dev", "cable", "parent", "1:", ...(drop ? ["prio", "1"] : ["prio", "2"]), "bpf",
    ...(drop ? ["da"] : []), "bytecode", program);
}

// The same with what every kernel has: two classes of which one is slow delay and reorder, BPF loses.
function classes(name, { loss, reorder, slow, fast }) {
  tc(name, "qdisc", "add", "dev", "cable", "root", "handle", "1:", "htb", "default", "1");
  tc(name, "class", "add", "dev", "cable", "parent", "1:", "classid", "1:1", "htb", "rate", fast);
  tc(name, "class", "add", "dev", "cable", "parent", "1:", "classid", "1:2", "htb", "rate", slow, "burst", "1600", "cburst", "1600");
  if (loss) draw(name, loss, true);
  if (reorder) draw(name, reorder, false);
}

const netem = (...args) => (name) => tc(name, "qdisc", "add", "dev", "cable", "root", "netem", ...args);
const htb = (options) => (name) => classes(name, options);
const FAULTS = {
  late: [netem("delay", "60ms", "30ms"), htb({ reorder: 0.999, slow: "400kbit", fast: "400kbit" })],
  lossy: [netem("loss", "8%"), htb({ loss: 0.08, slow: "100mbit", fast: "100mbit" })],
  disordered: [netem("delay", "20ms", "reorder", "60%"), htb({ reorder: 0.2, slow: "256kbit", fast: "100mbit" })],
  slow: [netem("rate", "256kbit"), (name) => tc(name, "qdisc", "add", "dev", "cable", "root", "tbf", "rate", "256kbit", "burst", "4kb", "latency", "200ms")],
};

function strike(fault, name, has) {
  clear(name);
  FAULTS[fault][has.netem ? 0 : 1](name);
}

function hasNetem() {
  try {
    netem("delay", "1ms")(near);
    return true;
  } catch {
    return false;
  } finally {
    clear(near);
  }
}

let server;
const children = [];
after(async () => {
  for (const child of children) child.kill("SIGKILL");
  if (server) await server.stop("SIGKILL").catch(() => {});
  for (const name of [near, far])
    try {
      run("ip", "netns", "del", name);
    } catch {} // was not made
});

test(`every write arrives exactly once over a bad cable, ${SECONDS} s (seed ${SEED})`, { timeout: 300000 }, async (t) => {
  const why = connectMachines();
  if (why) return t.skip(`skipped, using the proxy of links_test: namespaces are not permitted here (${why})`);
  const has = { netem: hasNetem() };
  const random = generator(SEED);
  server = await new Server({ host: ADDRESS, prefix: ["ip", "netns", "exec", near], config: 'log = { level = "error" },' }).start();
  const dir = temporary("namespaces");
  const users = tokens(server, ["a", "b"]);
  const options = "connect_timeout=2,ping_period=0.5,pong_timeout=2";
  const writers = ["a", "b"].map((name, i) => new Writer(name, {
    url: `wss://${ADDRESS}:${server.port}`, ca: server.ca, dir, token: users[i], options, prefix: ["ip", "netns", "exec", far],
  }));
  for (const writer of writers) {
    await within(writer.start(), 20, "device start");
    children.push(writer.process);
  }

  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const struck = {};
  const end = Date.now() + SECONDS * 1000;
  const names = [...Object.keys(FAULTS), "pulled"];
  for (let i = 0; Date.now() < end || i < names.length; i++) {
    const fault = names[i % names.length];
    struck[fault] = (struck[fault] ?? 0) + 1;
    if (fault === "pulled") {
      // Long enough for both sides to give up, or too short for them to notice.
      run("ip", "-n", random() < 0.5 ? near : far, "link", "set", "cable", "down");
      await pause(random() < 0.5 ? 300 : 4000);
      for (const name of [near, far]) run("ip", "-n", name, "link", "set", "cable", "up");
    } else {
      for (const name of [near, far]) strike(fault, name, has);
      await pause(1500);
    }
  }
  for (const name of [near, far]) clear(name);
  const duringFaults = writers.map((writer) => writer.reported);

  fs.writeFileSync(path.join(dir, "stop"), "");
  const failed = (writer) => writer.process.ended.then((code) => Promise.reject(new Error(`${writer.name} ended (${code}): ${writer.process.errors}`)));
  for (const writer of writers) await within(Promise.race([writer.uploaded, failed(writer)]), 90, `upload of ${writer.name}`);
  for (const writer of writers) writer.process.stdin.write("\n");
  for (const writer of writers) assert.equal(await within(writer.process.ended, 90, "device end"), 0, writer.process.errors);

  const [writes, , items] = writers[0].lines.total.map(Number);
  t.diagnostic(`${writes} writes; ${has.netem ? "netem" : "no netem: htb, tbf and bpf"}; faults ${JSON.stringify(struck)}`);
  assert.ok(Math.min(...duringFaults) > 0, "devices write meanwhile");
  assert.equal(writers[0].lines.state[0], writers[1].lines.state[0], "both copies are equal");
  assert.equal(writes, items, "each write happened exactly once");
  assert.equal(items, writers[0].reported + writers[1].reported, "no write is missing");
});
