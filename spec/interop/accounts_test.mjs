// Every way to log in, with Realm JS and with the Lua client, and what hangs on it: functions, refresh of
// tokens, permissions.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before, test } from "node:test";
import { jsPeer, luaPeer, Server } from "./harness.mjs";
import { id, schema } from "./schema.mjs";

const SECRET = "0123456789abcdef0123456789abcdef";

const app = `
  anonymous = true, email = {}, api_key = true, scrypt = { log_n = 10, r = 8, p = 1 },
  jwt = { keys = { require("syncline.auth").key{ alg = "HS256", secret = "${SECRET}" } },
          metadata = { { path = "team", name = "team" } } },
  ["function"] = { login = function(payload)
    if payload.word ~= "sesame" then error("wrong word", 0) end
    return payload.name
  end },
  functions = {
    sum = function(_, args) return args[1] + args[2] end,
    who = function(context) return context.user.id end,
    fails = function() error("out of order", 0) end,
  },
  permissions = {
    { partition = "public", access = "read" },
    { partition = "team-%user.data.team", access = "write" },
    { partition = "user=%user.id", access = "write" },
    { partition = "open*", access = "write" },
  },
`;

let server;
before(async () => {
  server = await new Server({ app }).start();
});
after(async () => {
  if (server) await server.stop();
});

function jwt(claims) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const head = `${part({ alg: "HS256", typ: "JWT" })}.${part({ exp: Math.floor(Date.now() / 1000) + 600, aud: "interop-app", ...claims })}`;
  return `${head}.${createHmac("sha256", SECRET).update(head).digest("base64url")}`;
}

const target = () => ({ app_id: "interop-app", base_url: server.baseUrl, ca: server.ca });

async function withPeer(make, body) {
  const peer = make(server);
  try {
    await body(peer);
  } finally {
    await peer.quit();
  }
}

const logIn = (peer, credentials) => peer.do("login", { ...target(), credentials });

for (const [name, make] of [
  ["Realm JS", jsPeer],
  ["the Lua client", luaPeer],
]) {
  test(`${name} logs in with every provider`, { timeout: 60000 }, async () => {
    await withPeer(make, async (peer) => {
      const email = `${name.length}@example.net`;
      await logIn(peer, { provider: "anonymous" });
      await peer.do("register", { ...target(), email, password: "secret1" });
      const first = await logIn(peer, { provider: "email", email, password: "secret1" });
      assert.match(first.user_id, /^[0-9a-f]{24}$/);
      await assert.rejects(logIn(peer, { provider: "email", email, password: "secret2" }), /unauthorized/);
      await assert.rejects(peer.do("register", { ...target(), email, password: "secret1" }), /name already in use/);
      const token = jwt({ sub: `jwt-${name}`, team: "red" });
      const second = await logIn(peer, { provider: "jwt", token });
      assert.notEqual(second.user_id, first.user_id);
      await assert.rejects(logIn(peer, { provider: "jwt", token: token.slice(0, -4) + "AAAA" }), /unauthorized/);
      await logIn(peer, { provider: "function", payload: { word: "sesame", name } });
      await assert.rejects(logIn(peer, { provider: "function", payload: { word: "no" } }), /wrong word/);
    });
  });

  test(`${name} calls functions`, { timeout: 60000 }, async () => {
    await withPeer(make, async (peer) => {
      const { user_id: userId } = await logIn(peer, { provider: "anonymous" });
      assert.equal((await peer.do("call", { name: "sum", args: [20, 22] })).result, 42);
      assert.equal((await peer.do("call", { name: "who", args: [] })).result, userId);
      await assert.rejects(peer.do("call", { name: "fails", args: [] }), /out of order/);
      await assert.rejects(peer.do("call", { name: "unknown", args: [] }), /function not found/);
    });
  });

  test(`${name} may use the partitions that the rules give it`, { timeout: 60000 }, async () => {
    await withPeer(make, async (peer) => {
      await logIn(peer, { provider: "jwt", token: jwt({ sub: `rules-${name}`, team: "red" }) });
      await peer.do("open", { partition: "team-red", schema });
      await peer.do("edit", { edits: [{ do: "create", class: "Tag", key: name, values: {} }] });
      await peer.do("sync");
    });
    await withPeer(make, async (peer) => {
      await logIn(peer, { provider: "jwt", token: jwt({ sub: `rules-${name}`, team: "red" }) });
      await assert.rejects(peer.do("open", { partition: "team-blue", schema }), (error) => {
        assert.doesNotMatch(error.message, /not within/);
        return true;
      });
    });
  });
}

test("an identity opens the same realms from both clients", { timeout: 60000 }, async () => {
  const credentials = { provider: "jwt", token: jwt({ sub: "both", team: "green" }) };
  await withPeer(jsPeer, async (js) => {
    await withPeer(luaPeer, async (lua) => {
      const one = await logIn(js, credentials);
      const two = await logIn(lua, credentials);
      assert.equal(one.user_id, two.user_id);
      for (const peer of [js, lua]) await peer.do("open", { partition: `user=${one.user_id}`, schema });
      await js.do("edit", { edits: [{ do: "create", class: "Everything", key: id(1), values: { s: "mine" } }] });
      for (const peer of [js, lua]) await peer.do("sync");
      assert.deepEqual((await lua.do("dump")).state, (await js.do("dump")).state);
    });
  });
});
