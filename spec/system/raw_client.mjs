// A client that speaks the protocol by hand, right or wrong, over the npm package `ws`.
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import tls from "node:tls";
import zlib from "node:zlib";
import { root, within } from "../interop/harness.mjs";

const modules = path.resolve(root, process.env.REALM_DIST ?? "build/interop");
const WebSocket = createRequire(path.join(modules, "package.json"))("ws");

const ROUTE = "/api/client/v2.0/app/interop-app/realm-sync";

// The parts of a server's message: words of its head, and the body.
function take(data) {
  const end = data.indexOf(10);
  const [type, ...fields] = data.toString("latin1", 0, end).split(" ");
  return { type, fields: fields.map((text) => BigInt(text)), body: data.subarray(end + 1) };
}

// The changesets of a DOWNLOAD: server version, client version, timestamp, author, and bytes of each.
export function entries(message) {
  let body = message.fields[8] ? zlib.inflateSync(message.body) : message.body;
  const list = [];
  while (body.length > 0) {
    const numbers = [];
    while (numbers.length < 6) {
      const end = body.indexOf(32);
      numbers.push(Number(body.toString("latin1", 0, end)));
      body = body.subarray(end + 1);
    }
    const size = numbers[5];
    list.push({ version: numbers[0], clientVersion: numbers[1], author: numbers[3], changeset: body.subarray(0, size) });
    body = body.subarray(size);
  }
  return list;
}

// Made once: reading certificates is what a connection would otherwise spend most of its time with.
function contextOf(server) {
  server.context ??= tls.createSecureContext({ ca: fs.readFileSync(server.ca) });
  return server.context;
}

export class RawClient {
  constructor(server, token, { version = 14, protocols, target } = {}) {
    const url = server.baseUrl.replace(/^http/, "ws") + (target ?? `${ROUTE}?baas_at=${token}`);
    this.messages = [];
    this.waiting = [];
    this.received = 0;
    this.socket = new WebSocket(url, protocols ?? [`com.mongodb.realm-sync#${version}`], {
      secureContext: server.ca && contextOf(server),
      perMessageDeflate: false,
      maxPayload: 1 << 30,
    });
    this.opened = new Promise((resolve, reject) => this.socket.once("open", resolve).once("error", reject));
    this.opened.catch(() => {});
    this.socket.on("error", (error) => (this.problem = error));
    this.closed = new Promise((resolve) =>
      this.socket.on("close", (code, reason) => {
        this.end = { code, reason: reason.toString() };
        this.deliver();
        resolve(this.end);
      }),
    );
    this.socket.on("message", (data) => {
      this.received += data.length;
      const message = take(data);
      if (message.type === "log_message") return;
      if (this.onMessage?.(message)) return;
      this.messages.push(message);
      this.deliver();
    });
  }
  deliver() {
    this.waiting = this.waiting.filter((look) => !look());
  }
  // The next message of a type; those before it are dropped. Fails when the connection ends first.
  next(type, seconds = 20) {
    const found = new Promise((resolve, reject) => {
      const look = () => {
        while (this.messages.length > 0) {
          const message = this.messages.shift();
          if (message.type === type) {
            resolve(message);
            return true;
          }
          this.dropped = message;
        }
        if (!this.end) return false;
        const last = this.dropped ? `, before: ${this.dropped.type} ${this.dropped.fields} ${this.dropped.body.subarray(0, 200)}` : "";
        reject(new Error(`closed with ${this.end.code} "${this.end.reason}" while waiting for ${type}${last}`));
        return true;
      };
      if (!look()) this.waiting.push(look);
    });
    return within(found, seconds, `waiting for ${type}`);
  }
  // Sends a head, with an optional body, as one binary message.
  send(head, body = Buffer.alloc(0)) {
    this.socket.send(Buffer.concat([Buffer.from(head + "\n", "latin1"), Buffer.from(body, "latin1")]), { binary: true });
  }
  bind(partition, { session = 1, needIdent = 1 } = {}) {
    const path = JSON.stringify(partition);
    this.send(`bind ${session} ${Buffer.byteLength(path)} 0 ${needIdent} 0`, path);
  }
  // BIND and IDENT of a new client file, up to the first DOWNLOAD.
  async join(partition, { session = 1 } = {}) {
    await within(this.opened, 20, "upgrade");
    this.bind(partition, { session });
    const { fields } = await this.next("ident");
    this.ident = fields[1];
    this.salt = fields[2];
    this.send(`ident ${session} ${this.ident} ${this.salt} 0 0 0 0`);
    const download = await this.next("download");
    [this.version, this.latest, this.latestSalt] = [Number(download.fields[1]), Number(download.fields[3]), download.fields[4]];
    return this;
  }
  // An UPLOAD of changesets made at client versions `from`, `from + 1`, ...
  upload(changesets, { session = 1, from = 1, seen = 0, locked = 0 } = {}) {
    const parts = [];
    changesets.forEach((changeset, i) =>
      parts.push(Buffer.from(`${from + i} ${seen} 336614400123 0 ${changeset.length} `), changeset),
    );
    const body = Buffer.concat(parts);
    this.send(`upload ${session} 0 ${body.length} 0 ${from + changesets.length - 1} ${seen} ${locked}`, body);
  }
  async ping(seconds = 10) {
    this.pings = (this.pings ?? 0) + 1;
    this.send(`ping ${this.pings} 0`);
    return this.next("pong", seconds);
  }
  async close() {
    if (!this.end) this.socket.terminate();
    await this.closed;
  }
}
