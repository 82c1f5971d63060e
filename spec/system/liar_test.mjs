// Clients that lie, babble or fall silent: each gets the error that the protocol demands (protocol/1-wire.md,
// 2 and 7; protocol/4-history-and-sessions.md, 3.4 and 3.5), and everybody else is served as before.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import net from "node:net";
import { after, before, test } from "node:test";
import zlib from "node:zlib";
import { Server, within } from "../interop/harness.mjs";
import { RawClient, entries } from "./raw_client.mjs";
import { schemaChangeset, tokens } from "./support.mjs";

const HANDSHAKE = 3; // seconds that the server gives to handshakes, and to a connection that says nothing

let server, honest, stranger, bystander, changeset;
const open = [];

before(async () => {
  server = await new Server({
    config: `handshake_timeout = ${HANDSHAKE}, first_timeout = ${HANDSHAKE}, log = { level = "error" },`,
  }).start();
  [honest, stranger] = tokens(server, ["honest", "stranger"]);
  changeset = schemaChangeset("x");
  bystander = await new RawClient(server, honest).join("bystander");
});

after(async () => {
  for (const client of open) await client.close();
  if (bystander) await bystander.close();
  if (server) await server.stop();
});

function client(options, token = honest) {
  const made = new RawClient(server, token, options);
  open.push(made);
  return made;
}

// What an honest client notices of all this: nothing.
let written = 0;
async function othersAreServed() {
  bystander.upload([changeset], { from: ++written });
  for (;;) {
    const message = await bystander.next("download");
    if (Number(message.fields[5]) >= written) break;
  }
  await bystander.ping();
}

// `act` provokes; then the error has to come: a connection-level one also ends the connection.
async function provokes(code, act, { session = 1, action, options } = {}) {
  const liar = client(options);
  await within(liar.opened, 20, "upgrade");
  await act(liar);
  const { fields, body } = await liar.next("json_error");
  const text = JSON.parse(body.toString());
  assert.equal(Number(fields[0]), code, text.message);
  assert.equal(Number(fields[2]), code < 200 ? 0 : session, "the level of the error");
  if (action) assert.equal(text.action, action);
  assert.ok(text.message.length > 3);
  if (code >= 200) await liar.ping(); // the connection goes on
  await liar.close();
  await othersAreServed();
}

const violation = { action: "ProtocolViolation" };
const reset = { action: "ClientReset" };

// ---- words that mean nothing ----------------------------------------------------------------------

for (const [name, code, bytes] of [
  ["an unknown message", 102, "hello 1\n"],
  ["a message of the server", 102, "download 1 0 0 0 0 0 0 0 0 0 0\n"],
  ["a QUERY where there are partitions", 102, "query 1 1 2\n{}"],
  ["no line feed", 103, "x".repeat(2000)],
  ["nothing at all", 103, ""],
  ["zeros", 103, "\0".repeat(64)],
  ["a missing field", 103, "bind 1 3 0 1\n\"a\""],
  ["a number that is none", 103, "ping one 0\n"],
  ["a negative number", 103, "ping -1 0\n"],
  ["a number beyond 63 bits", 103, "ping 9223372036854775808 0\n"],
  ["a bool of 2", 103, "bind 1 3 0 2 0\n\"a\""],
  ["two spaces", 103, "ping 1  0\n"],
  ["octets after the end", 103, "ping 1 0\nmore"],
  ["a body shorter than declared", 103, "bind 1 30 0 1 0\n\"a\""],
  ["a path over its limit", 103, `bind 1 5000 0 1 0\n${"a".repeat(5000)}`],
  ["a token over its limit", 103, `bind 1 3 3000 1 0\n"a"${"t".repeat(3000)}`],
  ["session 0", 106, "bind 0 3 0 1 0\n\"a\""],
]) {
  test(`malformed: ${name} is error ${code}`, () =>
    provokes(code, (liar) => liar.socket.send(Buffer.from(bytes, "latin1"), { binary: true }), violation));
}

// ---- messages out of order ------------------------------------------------------------------------

test("before BIND every message of a session is error 106", async () => {
  for (const head of ["ident 1 2 3 0 0 0 0", "upload 1 0 0 0 0 0 0", "mark 1 1", "unbind 1"])
    await provokes(106, (liar) => liar.send(head), violation);
});

test("a session number in use is error 107", () =>
  provokes(107, async (liar) => {
    await liar.join("order");
    liar.bind("order");
  }, violation));

test("a client file in two sessions of a connection is error 108", () =>
  provokes(108, async (liar) => {
    await liar.join("order");
    liar.bind("order", { session: 2, needIdent: 0 });
    liar.send(`ident 2 ${liar.ident} ${liar.salt} 0 0 0 0`);
  }, violation));

for (const [name, act] of [
  ["UPLOAD before IDENT", (liar) => (liar.bind("order"), liar.upload([changeset]))],
  ["MARK before IDENT", (liar) => (liar.bind("order"), liar.send("mark 1 1"))],
  ["a second IDENT", async (liar) => (await liar.join("order"), liar.send(`ident 1 ${liar.ident} ${liar.salt} 0 0 0 0`))],
]) {
  test(`out of order: ${name} is error 109`, () => provokes(109, act, violation));
}

test("IDENT before the server's is error 109, or 211 where the server was faster", async () => {
  const liar = client();
  await within(liar.opened, 20, "upgrade");
  liar.bind("order");
  liar.send("ident 1 2 3 0 0 0 0");
  const { fields } = await liar.next("json_error");
  assert.ok([109n, 211n].includes(fields[0]), String(fields));
  await othersAreServed();
});

// ---- lies about who one is ------------------------------------------------------------------------

// A client file with some history, for lies about it.
async function withHistory(partition) {
  const author = await client().join(partition);
  author.upload([changeset]);
  for (;;) {
    const { fields } = await author.next("download");
    if (Number(fields[5]) < 1) continue;
    Object.assign(author, { version: Number(fields[1]), latest: Number(fields[3]), latestSalt: fields[4] });
    return author;
  }
}

let family; // a client file that was bound before, with its numbers
const ident = (session, { ident = family.ident, salt = family.salt, sv = 0, cv = 0, latest = 0, latestSalt = 0 }) =>
  `ident ${session} ${ident} ${salt} ${sv} ${cv} ${latest} ${latestSalt}`;

test("lies in IDENT are found", async () => {
  family = await withHistory("lies");
  await family.close();
  const real = { sv: family.version, latest: family.latest, latestSalt: family.latestSalt };
  const lies = [
    ["an identifier that was never given", 208, { ident: 4711n }],
    ["identifier 0", 208, { ident: 0n }],
    ["the server's own identifier", [208, 211], { ident: 1n }],
    ["a wrong salt", 211, { salt: family.salt + 1n }],
    ["a newest version from the future", 209, { latest: 1000000, latestSalt: 5n }],
    ["a download from the future", 209, { ...real, sv: 1000000 }],
    ["a download beyond the newest version", 209, { sv: family.version, cv: 0, latest: 0, latestSalt: 0n }],
    ["a client version that never came", 210, { ...real, cv: 1000 }],
    ["the salt of another history", 211, { ...real, latestSalt: family.latestSalt + 1n }],
  ];
  for (const [name, codes, claim] of lies) {
    const liar = client();
    await within(liar.opened, 20, "upgrade");
    liar.bind("lies", { needIdent: 0 });
    liar.send(ident(1, claim));
    const { fields, body } = await liar.next("json_error");
    assert.ok([codes].flat().includes(Number(fields[0])), `${name}: ${fields[0]} ${body}`);
    assert.equal(Number(fields[2]), 1, name);
    assert.equal(JSON.parse(body).action, "ClientReset", name);
    liar.send("mark 1 1"); // means nothing any more, and is no reason to hang up
    await liar.ping();
    liar.send("unbind 1");
    await liar.join("lies"); // the number is free again, and an honest word is believed
    await liar.close();
  }
  await othersAreServed();
});

test("somebody else's client file is error 223", async () => {
  const thief = client({}, stranger);
  await within(thief.opened, 20, "upgrade");
  thief.bind("lies", { needIdent: 0 });
  thief.send(ident(1, {}));
  const { fields } = await thief.next("json_error");
  assert.equal(Number(fields[0]), 223);
  await thief.close();
});

// ---- lies about what one has done -----------------------------------------------------------------

const junk = Buffer.from("this is no changeset");
const raw = (head, body) => (liar) => liar.send(head, body);
const entry = (text, bytes = changeset) => Buffer.concat([Buffer.from(text + " "), bytes]);
const upload = (body, progress) => raw(`upload 1 0 ${body.length} 0 ${progress}`, body);
const size = () => changeset.length;

for (const [name, code, act, more] of [
  ["a server version that was never sent", 209, () => raw("upload 1 0 0 0 1 1000 0"), reset],
  ["a locked version that was never sent", 209, () => raw("upload 1 0 0 0 1 0 1000"), reset],
  ["a server version at client version 0", 209, () => raw("upload 1 0 0 0 0 1 0"), reset],
  ["a client version beyond the progress", 210, () => upload(entry(`5 0 1 0 ${size()}`), "4 0 0"), reset],
  ["client versions that do not grow", 210,
    () => upload(Buffer.concat([entry(`3 0 1 0 ${size()}`), entry(`3 0 1 0 ${size()}`)]), "3 0 0"), reset],
  ["a changeset from the future", 209, () => upload(entry(`1 900 1 0 ${size()}`), "1 0 0"), reset],
  ["somebody else as author", 216, () => upload(entry(`1 0 1 99 ${size()}`), "1 0 0"), reset],
  ["a changeset that is none", 212, () => upload(entry(`1 0 1 0 ${junk.length}`, junk), "1 0 0")],
  ["client version 0", 111, () => upload(entry(`0 0 1 0 ${size()}`), "1 0 0"), violation],
  ["an entry without numbers", 111, () => upload(Buffer.from("abc def"), "1 0 0"), violation],
  ["an entry that ends early", 111, () => upload(Buffer.from("1 0 1"), "1 0 0"), violation],
  ["a changeset larger than the message", 112, () => upload(entry("1 0 1 0 9999999"), "1 0 0"), violation],
  ["a body that does not inflate", 110, () => raw("upload 1 1 1000 20 1 0 0", "x".repeat(20)), violation],
  ["a body that inflates to less", 110, () => {
    const packed = zlib.deflateSync(Buffer.alloc(10));
    return (liar) => liar.send(`upload 1 1 1000 ${packed.length} 1 0 0`, packed);
  }, violation],
  ["a body that inflates to more", 110, () => {
    const packed = zlib.deflateSync(Buffer.alloc(1 << 20));
    return (liar) => liar.send(`upload 1 1 1000 ${packed.length} 1 0 0`, packed);
  }, violation],
  ["a bomb", 112, () => {
    const packed = zlib.deflateSync(Buffer.alloc(1 << 20));
    return (liar) => liar.send(`upload 1 1 9000000000000 ${packed.length} 1 0 0`, packed);
  }, violation],
]) {
  test(`lies in UPLOAD: ${name} is error ${code}`, async () => {
    const liar = await client().join("uploads");
    await act()(liar);
    const { fields, body } = await liar.next("json_error");
    assert.equal(Number(fields[0]), code, body.toString());
    if (more) assert.equal(JSON.parse(body).action, more.action);
    await liar.close();
    await othersAreServed();
  });
}

test("progress that goes back within a session is error 210", () =>
  provokes(210, async (liar) => {
    await liar.join("uploads");
    liar.send("upload 1 0 0 0 5 0 0");
    liar.send("upload 1 0 0 0 4 0 0");
  }, reset));

test("nothing of all that got into the realm", async () => {
  const reader = client();
  await reader.join("uploads");
  assert.equal(reader.version, 0);
});

// ---- frames ---------------------------------------------------------------------------------------

test("a text frame is close 1003", async () => {
  const liar = client();
  await within(liar.opened, 20, "upgrade");
  liar.socket.send("ping 1 0\n");
  assert.equal((await within(liar.closed, 10, "close")).code, 1003);
  await othersAreServed();
});

test("more than 17 MiB in one message is close 1009, in one frame or in many", async () => {
  const huge = Buffer.alloc(17825793, 120);
  for (const fragments of [1, 40]) {
    const liar = client();
    await within(liar.opened, 20, "upgrade");
    const step = Math.ceil(huge.length / fragments);
    for (let i = 0; i < fragments; i++)
      liar.socket.send(huge.subarray(i * step, (i + 1) * step), { binary: true, fin: i === fragments - 1 }, () => {});
    const { code } = await within(liar.closed, 30, "close");
    // While it is still sending, a client may see the broken connection before it reads the reason.
    assert.ok(code === 1009 || (code === 1006 && fragments > 1), `closed with ${code}`);
  }
  await othersAreServed();
});

test("just under the limit is taken", async () => {
  const author = await client().join("large");
  const head = "upload 1 0 17825000 0 1 0 0";
  author.send(head, Buffer.alloc(17825000, 49)); // no entry header: one number that does not end
  assert.equal(Number((await author.next("json_error")).fields[0]), 111);
});

// Bytes that `ws` would not send.
for (const [name, bytes] of [
  ["a frame that is not masked", [0x82, 0x03, 1, 2, 3]],
  ["a reserved bit", [0xc2, 0x80, 0, 0, 0, 0]],
  ["an unknown opcode", [0x83, 0x80, 0, 0, 0, 0]],
  ["a fragmented ping", [0x09, 0x80, 0, 0, 0, 0]],
  ["a ping of 126 octets", [0x89, 0xfe, 0, 126, 0, 0, 0, 0, ...new Array(126).fill(0)]],
  ["a continuation of nothing", [0x80, 0x80, 0, 0, 0, 0]],
  ["a length of 2^63", [0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
  ["a close frame of one octet", [0x88, 0x81, 0, 0, 0, 0, 3]],
]) {
  test(`frames: ${name} is close 1002 or 1009`, async () => {
    const liar = client();
    await within(liar.opened, 20, "upgrade");
    liar.socket._socket.write(Buffer.from(bytes));
    const { code } = await within(liar.closed, 10, "close");
    assert.ok(code === 1002 || code === 1009, `closed with ${code}`);
    await othersAreServed();
  });
}

test("noise in place of frames ends the connection", async () => {
  for (let i = 0; i < 10; i++) {
    const liar = client();
    await within(liar.opened, 20, "upgrade");
    const noise = randomBytes(4096);
    noise[0] = 0xf0; // reserved bits, so that noise cannot be the start of a long message
    liar.socket._socket.write(noise);
    await within(liar.closed, 10, `end after ${noise.toString("hex", 0, 16)}`);
  }
  await othersAreServed();
});

// ---- who comes in ---------------------------------------------------------------------------------

test("bad tokens are close 4001 after the upgrade", async () => {
  const [head, claims, signature] = honest.split(".");
  const forged = Buffer.from(JSON.stringify({ typ: "access", sub: "honest", aud: "interop-app", iat: 1, exp: 4102444800 }));
  const none = Buffer.from('{"alg":"none"}').toString("base64url");
  for (const token of ["", "x", "a.b.c", `${head}.${forged.toString("base64url")}.${signature}`, `${none}.${claims}.`]) {
    const liar = client({}, token);
    assert.equal((await within(liar.closed, 10, "close")).code, 4001, token);
  }
});

test("versions that do not exist", async () => {
  const none = client({ protocols: ["com.mongodb.realm-sync#99"] });
  const { fields } = await none.next("json_error");
  assert.equal(Number(fields[0]), 105);
  const foreign = client({ protocols: ["chat"] });
  await within(foreign.closed, 10, "end");
  assert.match(foreign.problem.message, /400/);
  const flx = client({ protocols: ["com.mongodb.realm-query-sync#14"] });
  await within(flx.opened, 10, "upgrade");
  flx.send("bind 1 2 0 1 0", "{}");
  assert.equal(Number((await flx.next("json_error")).fields[0]), 114);
});

test(`who says nothing is shown out after ${HANDSHAKE} s, at every stage`, async () => {
  const silent = (words) =>
    new Promise((resolve, reject) => {
      const socket = net.connect(server.port, "127.0.0.1", () => words && socket.write(words));
      socket.on("error", () => {});
      socket.on("close", resolve);
      socket.resume();
      setTimeout(() => reject(new Error("still there")), 20000).unref();
    });
  // No TLS at all, or the first octets of a ClientHello that never ends.
  const peers = [];
  for (let i = 0; i < 50; i++) peers.push(silent(i % 2 ? Buffer.from([0x16, 3, 1, 2, 0, 1]) : null));
  const upgraded = client(); // an upgrade, and no BIND
  await within(upgraded.opened, 20, "upgrade");
  await othersAreServed();
  const late = await new RawClient(server, honest).join("late"); // comes while they all wait
  open.push(late);
  await Promise.all(peers);
  await within(upgraded.closed, 20, "end of a connection without BIND");
  await othersAreServed();
  await late.ping();
});

test("in the end the honest client has everything", async () => {
  const reader = client();
  const got = [];
  reader.onMessage = (message) => {
    if (message.type === "download") got.push(...entries(message));
    return false;
  };
  await reader.join("bystander");
  assert.equal(reader.version, reader.latest);
  assert.equal(got.length, written);
  assert.equal(bystander.end, undefined);
});
