// What the system tests share: repeatable choices, access tokens, devices that write all the time.
import { execFileSync } from "node:child_process";
import path from "node:path";
import readline from "node:readline";
import { luaPaths, root, start } from "../interop/harness.mjs";

export const lua = process.env.LUA ?? "lua5.4";

// mulberry32: a small generator, so that a seed repeats the choices.
export function generator(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

// Runs a few lines of Lua with the library and returns what they print.
export function runLua(text, args = []) {
  return execFileSync(lua, ["-e", text, "-", ...args], {
    cwd: root,
    env: { ...process.env, ...luaPaths() },
    encoding: "latin1",
    input: "",
  }).trim();
}

// Access tokens for users of the server's app, signed with its key.
export function tokens(server, users) {
  const text = `
    local config = require("syncline.server.config")
    local Server = require("syncline.server")
    local keys = assert(config.keys({ storage = ${JSON.stringify(path.join(server.dir, "data"))} }, false))
    for user in ("${users.join(" ")}"):gmatch("%S+") do print(Server.mint(keys.signing, "interop-app", user, 86400)) end`;
  return runLua(text).split("\n");
}

export class Writer {
  // `url` where the device connects, `options` of sync as "name=number,name=number".
  // `prefix`: the command that runs the device's.
  constructor(name, { url, ca, dir, token, options = "", prefix = [] }) {
    Object.assign(this, { name, url, ca, dir, token, options, prefix, reported: 0 });
  }
  start() {
    const { name, url, ca, dir, token, options } = this;
    const args = [lua, "spec/system/writer.lua", path.join(dir, `${name}.db`), url, ca, token, name, path.join(dir, "stop"), options];
    this.lines = {};
    const [command, ...rest] = [...this.prefix, ...args];
    this.process = start(command, rest, { env: { ...process.env, ...luaPaths() } });
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

// The bytes of a changeset that makes the class Item, an object with this key, and a text of `size` octets in it.
export function schemaChangeset(key, size = 8) {
  const text = `
    local table, object = "Item", { string = arg[1] }
    io.write((require("syncline.changeset").encode({
      { op = "AddTable", table = table, kind = "toplevel", pk = { field = "_id", type = "string", nullable = false } },
      { op = "AddColumn", table = table, field = "text", type = "string", nullable = false, collection = "single" },
      { op = "CreateObject", table = table, object = object },
      { op = "Update", table = table, object = object, field = "text", path = {}, value = { string = ("t"):rep(${size}) }, default = false },
    }):gsub(".", function(c) return ("%02x"):format(c:byte()) end)))`;
  return Buffer.from(runLua(text, [key]), "hex");
}
