// Realm JS and a Lua client in one partition: each sees what the other wrote, updated and deleted.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { jsPeer, luaPeer, Server } from "./harness.mjs";
import { id, int, scalars, schema } from "./schema.mjs";

let server;
before(async () => {
  server = await new Server().start();
});
after(async () => {
  if (server) assert.equal(await server.stop(), 0, "the server ends cleanly on SIGTERM");
});

async function device(make, partition) {
  const peer = make(server);
  await peer.do("login", { app_id: "interop-app", base_url: server.baseUrl, ca: server.ca });
  await peer.do("open", { partition, schema });
  return peer;
}

// Opens a Realm JS device and a Lua device, runs `body`, and ends both.
function pair(name, body) {
  test(name, { timeout: 120000 }, async () => {
    const partition = name;
    const js = await device(jsPeer, partition);
    const lua = await device(luaPeer, partition);
    try {
      await body({ js, lua });
      assert.deepEqual((await js.do("errors")).errors, []);
    } finally {
      await js.quit();
      await lua.quit();
    }
  });
}

async function settle(...peers) {
  for (const peer of peers) await peer.do("sync");
  for (const peer of peers) await peer.do("sync");
}

async function same(...peers) {
  await settle(...peers);
  const states = [];
  for (const peer of peers) states.push((await peer.do("dump")).state);
  for (const state of states.slice(1)) assert.deepEqual(state, states[0]);
  return states[0];
}

const edit = (peer, ...edits) => peer.do("edit", { edits });
const everything = (n, values) => ({ do: "create", class: "Everything", key: id(n), values });
const at = (n, rest) => ({ class: "Everything", key: id(n), ...rest });

for (const [from, to] of [
  ["js", "lua"],
  ["lua", "js"],
]) {
  pair(`all scalar types travel from ${from} to ${to}`, async (peers) => {
    await edit(peers[from], everything(1, scalars), everything(2, {}));
    const state = await same(peers[from], peers[to]);
    assert.equal(state.Everything.length, 2);
    for (const [name, value] of Object.entries(scalars)) assert.deepEqual(state.Everything[0][name], value, name);
  });

  pair(`lists, sets and dictionaries travel from ${from} to ${to}`, async (peers) => {
    await edit(
      peers[from],
      everything(1, { ints: [int(1), int(2)], strings: ["a"] }),
      at(1, { do: "list_insert", field: "ints", index: 1, value: int(10) }),
      at(1, { do: "set_add", field: "set", value: "x" }),
      at(1, { do: "set_add", field: "numbers", value: int(7) }),
      at(1, { do: "dict_set", field: "dict", name: "k", value: "v" }),
    );
    await same(peers.js, peers.lua);
    await edit(
      peers[to],
      at(1, { do: "list_set", field: "ints", index: 0, value: int(100) }),
      at(1, { do: "list_remove", field: "ints", index: 2 }),
      at(1, { do: "list_insert", field: "strings", index: 1, value: "b" }),
      at(1, { do: "set_add", field: "set", value: "y" }),
      at(1, { do: "set_remove", field: "set", value: "x" }),
      at(1, { do: "dict_set", field: "dict", name: "k2", value: "v2" }),
      at(1, { do: "dict_remove", field: "dict", name: "k" }),
    );
    const [object] = (await same(peers.js, peers.lua)).Everything;
    assert.deepEqual(object.ints, [int(100), int(10)]);
    assert.deepEqual(object.strings, ["a", "b"]);
    assert.deepEqual(object.set, { $set: ["y"] });
    assert.deepEqual(object.numbers, { $set: [int(7)] });
    assert.deepEqual(object.dict, { $dict: { k2: "v2" } });
  });

  pair(`links and embedded objects travel from ${from} to ${to}`, async (peers) => {
    await edit(
      peers[from],
      { do: "create", class: "Tag", key: "red", values: { label: "Red" } },
      { do: "create", class: "Tag", key: "blue", values: { label: "Blue" } },
      everything(1, {
        link: { $link: ["Tag", "red"] },
        address: { $object: { street: "High Street", number: int(1) } },
      }),
      at(1, { do: "list_insert", field: "links", index: 0, value: { $link: ["Tag", "blue"] } }),
      at(1, { do: "list_insert", field: "addresses", index: 0, value: { $object: { street: "First", number: int(10) } } }),
    );
    await same(peers.js, peers.lua);
    await edit(
      peers[to],
      at(1, { do: "set", field: "link", value: { $link: ["Tag", "blue"] } }),
      at(1, { do: "set", path: ["address"], field: "number", value: int(2) }),
      at(1, { do: "set", path: ["addresses", 0], field: "street", value: "Changed" }),
      at(1, { do: "list_insert", field: "links", index: 1, value: { $link: ["Tag", "red"] } }),
    );
    await same(peers.js, peers.lua);
    await edit(peers[from], { do: "delete", class: "Tag", key: "blue" });
    const [object] = (await same(peers.js, peers.lua)).Everything;
    assert.equal(object.link, null);
    assert.deepEqual(object.links, [{ $link: ["Tag", "red"] }]);
    assert.deepEqual(object.address, { $object: { number: int(2), street: "High Street" } });
    assert.deepEqual(object.addresses, [{ $object: { number: int(10), street: "Changed" } }]);
  });

  pair(`updates, nulls and deletions travel from ${from} to ${to}`, async (peers) => {
    await edit(peers[from], everything(1, scalars), everything(2, scalars), everything(3, scalars));
    await same(peers.js, peers.lua);
    await edit(
      peers[to],
      ...Object.keys(scalars).map((field) => at(1, { do: "set", field, value: null })),
      at(2, { do: "set", field: "s", value: "changed" }),
      { do: "delete", class: "Everything", key: id(3) },
    );
    const state = await same(peers.js, peers.lua);
    assert.equal(state.Everything.length, 2);
    for (const name of Object.keys(scalars)) assert.equal(state.Everything[0][name], null, name);
    assert.equal(state.Everything[1].s, "changed");
  });
}

pair("increments add up with what Realm JS sets", async ({ js, lua }) => {
  await edit(js, everything(1, { i: int(10) }));
  await same(js, lua);
  for (const peer of [js, lua]) await peer.do("pause");
  await edit(lua, at(1, { do: "increment", field: "i", value: int(5) }));
  await edit(js, at(1, { do: "set", field: "s", value: "beside" }));
  await edit(lua, at(1, { do: "increment", field: "i", value: int(-2) }));
  for (const peer of [js, lua]) await peer.do("resume");
  assert.deepEqual((await same(js, lua)).Everything[0].i, int(13));
  // A value set before an increment that did not know of it takes the increment in.
  for (const peer of [js, lua]) await peer.do("pause");
  await edit(js, at(1, { do: "set", field: "i", value: int(100) }));
  await edit(lua, at(1, { do: "increment", field: "i", value: int(1) }));
  for (const peer of [js, lua]) await peer.do("resume");
  assert.deepEqual((await same(js, lua)).Everything[0].i, int(101));
});

pair("a Mixed property changes its type across devices", async ({ js, lua }) => {
  await edit(js, { do: "create", class: "Tag", key: "t", values: {} }, everything(1, {}));
  for (const value of ["text", true, { $oid: "0123456789abcdef01234567" }, { $decimal: "1.50" }, { $link: ["Tag", "t"] }, null]) {
    await edit(js, at(1, { do: "set", field: "m", value }));
    assert.deepEqual((await same(js, lua)).Everything[0].m, value);
  }
});

pair("what was written offline arrives after coming back", async ({ js, lua }) => {
  await edit(js, everything(1, { i: int(1) }));
  await same(js, lua);
  for (const peer of [js, lua]) await peer.do("pause");
  await edit(js, everything(2, { s: "from js" }), at(1, { do: "set", field: "i", value: int(2) }));
  await edit(lua, everything(3, { s: "from lua" }), at(1, { do: "set", field: "s", value: "lua was here" }));
  for (const peer of [js, lua]) await peer.do("resume");
  const state = await same(js, lua);
  assert.deepEqual(state.Everything.map((o) => o.s), ["lua was here", "from js", "from lua"]);
  assert.deepEqual(state.Everything[0].i, int(2));
});
