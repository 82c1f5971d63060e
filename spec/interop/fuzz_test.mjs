// Nothing that the server passes on may crash the published SDK: a hostile writer uploads odd values, names, keys and
// changes of the schema (hostile_changes.lua), and a Realm JS device in the same partition has to live on. Each round
// is a seed; FUZZ_SEEDS="3 7" repeats some, FUZZ_ROUNDS (default 12) says how many.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import path from "node:path";
import { jsPeer, luaPaths, root, Server, within } from "./harness.mjs";
import { schema } from "./schema.mjs";

const require = createRequire(path.resolve(root, process.env.REALM_DIST ?? "build/interop", "package.json"));
const { WebSocket } = require("ws");
const seeds = process.env.FUZZ_SEEDS?.split(" ") ?? Array.from({ length: Number(process.env.FUZZ_ROUNDS ?? 12) }, (_, i) => i + 1);
const CHANGESETS = 40;

let server;
before(async () => {
  server = await new Server({ tls: false }).start();
});
after(async () => {
  if (server) assert.equal(await server.stop(), 0, "the server ends cleanly on SIGTERM");
});

async function token() {
  const url = `${server.baseUrl}/api/client/v2.0/app/interop-app/auth/providers/anon-user/login`;
  const answer = await fetch(url, { method: "POST", body: "{}", headers: { "content-type": "application/json" } });
  return (await answer.json()).access_token;
}

// A client that says what it likes. `next` gives the head of the next message of one of the kinds.
class Raw {
  constructor(accessToken) {
    const url = `${server.baseUrl.replace("http", "ws")}/api/client/v2.0/app/interop-app/realm-sync?baas_at=${accessToken}`;
    this.socket = new WebSocket(url, ["com.mongodb.realm-sync#14"]);
    this.heads = [];
    this.listeners = [];
    this.opened = new Promise((resolve, reject) => this.socket.on("open", resolve).on("error", reject));
    this.socket.on("message", (data) => {
      const end = data.indexOf(10);
      this.heads.push(data.subarray(0, end < 0 ? data.length : end).toString().split(" "));
      this.listeners.splice(0).forEach((wake) => wake());
    });
    this.socket.on("close", () => {
      this.heads.push(["closed"]);
      this.listeners.splice(0).forEach((wake) => wake());
    });
  }
  send(head, body = Buffer.alloc(0)) {
    this.socket.send(Buffer.concat([Buffer.from(`${head}\n`), body]));
  }
  async next(wanted) {
    for (;;) {
      while (this.heads.length) {
        const head = this.heads.shift();
        if (head[0] === "closed" || head[0] === "json_error" || wanted(head)) return head;
      }
      await within(new Promise((wake) => this.listeners.push(wake)), 20, "the server's answer");
    }
  }
  async join(partition) {
    await this.opened;
    const value = Buffer.from(JSON.stringify(partition));
    this.send(`bind 1 ${value.length} 0 1 0`, value);
    const ident = await this.next((head) => head[0] === "ident");
    this.send(`ident 1 ${ident[2]} ${ident[3]} 0 0 0 0`);
    this.send("mark 1 1");
    let latest = 0;
    await this.next((head) => {
      if (head[0] === "download") latest = head[2];
      return head[0] === "mark";
    });
    return latest;
  }
  // Whether the server took it.
  async upload(changeset, seen) {
    const entry = Buffer.concat([Buffer.from(`1 ${seen} 336614400123 0 ${changeset.length} `), changeset]);
    this.send(`upload 1 0 ${entry.length} 0 1 ${seen} 0`, entry);
    const answer = await this.next((head) => head[0] === "download" && Number(head[6]) >= 1);
    return answer[0] === "download";
  }
}

function changesets(seed) {
  const lua = process.env.LUA ?? "lua5.4";
  const args = ["spec/interop/hostile_changes.lua", String(seed), String(CHANGESETS)];
  const text = execFileSync(lua, args, { cwd: root, env: { ...process.env, ...luaPaths() }, encoding: "latin1" });
  return text.trim().split("\n").map((line) => Buffer.from(line, "base64"));
}

for (const seed of seeds) {
  test(`a device survives what a hostile writer uploads, seed ${seed}`, { timeout: 120000 }, async (t) => {
    const partition = `fuzz-${seed}`;
    const device = jsPeer(server);
    t.after(() => device.child.kill("SIGKILL")); // a device that hangs must not keep the test from ending
    const accessToken = await token();
    await device.do("login", { app_id: "interop-app", base_url: server.baseUrl });
    await device.do("open", { partition, schema });
    let taken = 0;
    for (const changeset of changesets(seed)) {
      const hostile = new Raw(accessToken);
      const seen = await hostile.join(partition);
      if (await hostile.upload(changeset, seen)) taken++;
      hostile.socket.terminate();
      const what = `after ${changeset.toString("base64").slice(0, 400)}`;
      await device.do("sync").catch((error) => assert.fail(`${what}: ${error.message}`));
      assert.deepEqual((await device.do("errors")).errors, [], what);
    }
    assert.ok(taken > 0, "something was passed on");
    await device.do("dump").catch(() => {}); // odd values may be refused by JavaScript; the device lives on
    await device.do("edit", { edits: [{ do: "create", class: "Tag", key: "mine", values: { label: "still here" } }] });
    await device.do("sync");
    assert.deepEqual((await device.do("errors")).errors, []);
    await device.quit();
  });
}
