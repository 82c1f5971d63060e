// Starts `syncline serve` and devices for the interop tests, and ends them again.
import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import readline from "node:readline";

export const root = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), "../..");
const lua = process.env.LUA ?? "lua5.4";

const running = new Set();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));

export function start(command, args, options) {
  const child = spawn(command, args, { cwd: root, stdio: ["pipe", "pipe", "pipe"], ...options });
  running.add(child);
  child.errors = "";
  child.stderr.on("data", (data) => (child.errors = (child.errors + data).slice(-20000)));
  child.ended = new Promise((resolve) =>
    child.on("exit", (code, signal) => {
      running.delete(child);
      resolve(signal ?? code);
    }),
  );
  return child;
}

export async function within(promise, seconds, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${seconds} s`)), seconds * 1000);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

// Folders that go when the tests have passed; after a failure they stay to be looked into.
const folders = [];
process.on("exit", (code) => {
  if (code || process.exitCode) return;
  for (const folder of folders) fs.rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
});

export function temporary(name) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), `syncline-${name}-`));
  folders.push(folder);
  return folder;
}

// A server on a free port, of loopback unless `host` is given; `prefix` is the command that runs its command. `app` is the text of the app's part of the Lua configuration,
// `config` of further members.
export class Server {
  constructor({ tls = true, app = "anonymous = true", config = "", host = "127.0.0.1", prefix = [] } = {}) {
    this.host = host;
    this.prefix = prefix;
    this.tls = tls;
    this.app = app;
    this.config = config;
    this.dir = temporary("server");
    this.port = 0;
  }
  async start() {
    const file = path.join(this.dir, "config.lua");
    fs.writeFileSync(
      file,
      `return {
  host = "${this.host}", port = ${this.port}, storage = ${JSON.stringify(this.dir + "/data")},
  tls = ${this.tls ? `{ host = "${this.host}" }` : "false"}, log = { format = "json", level = "info" },
  apps = { ["interop-app"] = { ${this.app} } },
${this.config}
}
`,
    );
    const [command, ...args] = [...this.prefix, lua, "bin/syncline", "serve", "--config", file];
    this.process = start(command, args, {
      env: { ...process.env, ...luaPaths(), SYNCLINE_BUILD: process.env.SYNCLINE_BUILD ?? "build" },
    });
    this.log = "";
    this.process.stderr.on("data", (data) => (this.log += data));
    const listening = new Promise((resolve, reject) => {
      readline.createInterface({ input: this.process.stdout }).once("line", resolve);
      this.process.ended.then((code) => reject(new Error(`server ended (${code}): ${this.process.errors}`)));
    });
    this.baseUrl = await within(listening, 20, "server start");
    this.port = Number(new URL(this.baseUrl).port);
    this.ca = this.tls ? path.join(this.dir, "data/tls/cert.pem") : undefined;
    this.key = this.tls ? path.join(this.dir, "data/tls/key.pem") : undefined;
    return this;
  }
  async stop(signal = "SIGTERM") {
    this.process.kill(signal);
    return within(this.process.ended, 10, "server stop");
  }
}

export function luaPaths() {
  const version = process.env.LUA_ABI ?? "5.4";
  const build = process.env.SYNCLINE_BUILD ?? "build";
  return {
    LUA_PATH: `${root}/lua/?.lua;${root}/lua/?/init.lua;;`,
    LUA_CPATH: `${path.resolve(root, build)}/lua${version}/?.so;;`,
  };
}

class Peer {
  constructor(child) {
    this.child = child;
    this.waiting = new Map();
    this.next = 1;
    const ready = new Promise((resolve) => {
      readline.createInterface({ input: child.stdout }).on("line", (line) => {
        const answer = JSON.parse(line);
        if (answer.ready) return resolve();
        const { resolve: done, reject } = this.waiting.get(answer.id);
        this.waiting.delete(answer.id);
        if (answer.error) reject(Object.assign(new Error(answer.error), { code: answer.code }));
        else done(answer.ok);
      });
    });
    child.ended.then((code) => {
      for (const { reject } of this.waiting.values()) reject(new Error(`peer ended (${code}): ${child.errors}`));
    });
    this.ready = ready;
  }
  async do(cmd, args = {}, seconds = 45) {
    await within(this.ready, 20, "peer start");
    const id = this.next++;
    const result = new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
    this.child.stdin.write(JSON.stringify({ id, cmd, ...args }) + "\n");
    try {
      return await within(result, seconds, cmd);
    } catch (error) {
      error.message += `\n${this.child.errors.slice(-3000)}`;
      throw error;
    }
  }
  async quit() {
    try {
      await this.do("quit", {}, 10);
    } catch {}
    this.child.kill("SIGKILL");
    await this.child.ended;
  }
}

export function jsPeer(server, more = {}) {
  const env = { ...process.env, ...more };
  if (server.tls) env.NODE_EXTRA_CA_CERTS = server.ca;
  return new Peer(start(process.execPath, [path.join(root, "spec/interop/js_peer.mjs")], { env }));
}

export function luaPeer(server) {
  const env = { ...process.env, ...luaPaths(), PEER_DIR: temporary("peer"), PEER_CA: server.ca ?? "" };
  return new Peer(start(lua, ["spec/interop/lua_peer.lua"], { env }));
}
