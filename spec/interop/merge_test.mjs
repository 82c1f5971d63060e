// Concurrent edits on two Realm JS devices and one Lua device while all are offline: afterwards every copy
// is equal, property by property. The SDK merges with its own code, so any difference is a defect of ours.
// ROUNDS and SEED change the defaults.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { jsPeer, luaPeer, Server } from "./harness.mjs";
import { id, int, schema } from "./schema.mjs";

const ROUNDS = Number(process.env.ROUNDS ?? 12);
const SEED = Number(process.env.SEED ?? 1);

let server;
before(async () => {
  server = await new Server().start();
});
after(async () => {
  if (server) await server.stop();
});

async function device(make, partition) {
  const peer = make(server);
  await peer.do("login", { app_id: "interop-app", base_url: server.baseUrl, ca: server.ca });
  await peer.do("open", { partition, schema });
  return peer;
}

// Three devices of one partition, `setup` done and synchronised.
async function three(partition, setup, body) {
  const peers = [await device(jsPeer, partition), await device(jsPeer, partition), await device(luaPeer, partition)];
  try {
    await peers[0].do("edit", { edits: setup });
    await settle(peers);
    await body(peers);
    for (const peer of peers) assert.deepEqual((await peer.do("errors")).errors, []);
  } finally {
    for (const peer of peers) await peer.quit();
  }
}

async function settle(peers) {
  for (let round = 0; round < 2; round++) for (const peer of peers) await peer.do("sync");
}

async function concurrently(peers, edits) {
  for (const peer of peers) await peer.do("pause");
  for (const [i, peer] of peers.entries()) {
    for (const transaction of edits[i] ?? []) await peer.do("edit", { edits: transaction });
  }
  for (const peer of peers) await peer.do("resume");
  await settle(peers);
  const states = [];
  for (const peer of peers) states.push((await peer.do("dump")).state);
  assert.deepEqual(states[1], states[0], "both Realm JS devices agree");
  assert.deepEqual(states[2], states[0], "the Lua device agrees");
  return states[0];
}

const base = [
  { do: "create", class: "Tag", key: "red", values: { label: "Red" } },
  { do: "create", class: "Tag", key: "blue", values: { label: "Blue" } },
  {
    do: "create",
    class: "Everything",
    key: id(1),
    values: { s: "old", i: int(1), ints: [int(0), int(1), int(2)], strings: ["a", "b", "c"], dict: { $dict: { k: "v" } } },
  },
  { do: "create", class: "Everything", key: id(2), values: { s: "two", link: { $link: ["Tag", "red"] } } },
];
const one = (rest) => ({ class: "Everything", key: id(1), ...rest });

test("the last writer of a property wins on every device", { timeout: 120000 }, async () => {
  await three("last-writer", base, async (peers) => {
    const set = (value) => [[one({ do: "set", field: "s", value })]];
    const state = await concurrently(peers, [set("first"), set("second"), set("third")]);
    assert.equal(state.Everything[0].s, "third");
  });
});

test("an erased object stays erased, whoever writes to it", { timeout: 120000 }, async () => {
  await three("erased", base, async (peers) => {
    const state = await concurrently(peers, [
      [[one({ do: "delete" })]],
      [[one({ do: "set", field: "s", value: "later" })]],
      [[one({ do: "list_insert", field: "ints", index: 0, value: int(9) })]],
    ]);
    assert.deepEqual(state.Everything.map((o) => o._id), [id(2)]);
  });
});

test("insertions into one list all survive, in one order", { timeout: 120000 }, async () => {
  await three("list", base, async (peers) => {
    const insert = (value, index) => one({ do: "list_insert", field: "strings", index, value });
    const state = await concurrently(peers, [
      [[insert("x", 0), insert("y", 1)], [one({ do: "list_remove", field: "strings", index: 4 })]],
      [[insert("p", 3), one({ do: "list_set", field: "strings", index: 0, value: "A" })]],
      [[insert("q", 3), one({ do: "list_remove", field: "strings", index: 1 })]],
    ]);
    assert.deepEqual([...state.Everything[0].strings].sort(), ["A", "p", "q", "x", "y"]);
  });
});

test("sets, dictionaries, links and embedded objects merge", { timeout: 120000 }, async () => {
  await three("containers", base, async (peers) => {
    const state = await concurrently(peers, [
      [
        [one({ do: "set_add", field: "set", value: "js1" }), one({ do: "dict_set", field: "dict", name: "k", value: "js1" })],
        [one({ do: "set", field: "address", value: { $object: { street: "one", number: int(1) } } })],
        [{ do: "delete", class: "Tag", key: "red" }],
      ],
      [
        [one({ do: "set_add", field: "set", value: "both" }), one({ do: "dict_remove", field: "dict", name: "k" })],
        [one({ do: "set", field: "address", value: { $object: { street: "two" } } })],
        [one({ do: "list_insert", field: "links", index: 0, value: { $link: ["Tag", "red"] } })],
      ],
      [
        [one({ do: "set_add", field: "set", value: "both" }), one({ do: "dict_set", field: "dict", name: "n", value: "lua" })],
        [one({ do: "list_insert", field: "links", index: 0, value: { $link: ["Tag", "blue"] } })],
      ],
    ]);
    assert.deepEqual(state.Everything[0].set, { $set: ["both", "js1"] });
    assert.deepEqual(state.Everything[0].links, [{ $link: ["Tag", "blue"] }]);
    assert.equal(state.Everything[1].link, null);
  });
});

function generator(seed) {
  return (limit) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 4294967296) * limit);
  };
}

// A random edit that is legal in the state the device sees now.
function randomEdit(random, state, label) {
  const objects = state.Everything;
  const fresh = { do: "create", class: "Everything", key: id(10 + random(6)), values: { s: label } };
  if (objects.length === 0 || random(8) === 0) return fresh;
  const object = objects[random(objects.length)];
  const at = (rest) => ({ class: "Everything", key: object._id, ...rest });
  const tags = state.Tag.map((tag) => tag._id);
  const tag = tags.length ? { $link: ["Tag", tags[random(tags.length)]] } : null;
  const index = (list) => random(list.length);
  const choices = [
    () => at({ do: "set", field: "s", value: label }),
    () => at({ do: "set", field: "i", value: random(4) ? int(random(100)) : null }),
    () => at({ do: "set", field: "m", value: [label, true, null, { $decimal: "1.5" }][random(4)] }),
    () => at({ do: "list_insert", field: "strings", index: random(object.strings.length + 1), value: label }),
    () => at({ do: "list_insert", field: "ints", index: random(object.ints.length + 1), value: int(random(50)) }),
    () => (object.strings.length ? at({ do: "list_set", field: "strings", index: index(object.strings), value: label }) : fresh),
    () => (object.strings.length ? at({ do: "list_remove", field: "strings", index: index(object.strings) }) : fresh),
    () => (object.ints.length ? at({ do: "list_remove", field: "ints", index: index(object.ints) }) : fresh),
    () => at({ do: "list_clear", field: "ints" }),
    () => at({ do: "set_add", field: "set", value: "e" + random(5) }),
    () => at({ do: "set_remove", field: "set", value: "e" + random(5) }),
    () => at({ do: "dict_set", field: "dict", name: "k" + random(4), value: label }),
    () => at({ do: "dict_remove", field: "dict", name: "k" + random(4) }),
    () => at({ do: "set", field: "link", value: random(4) ? tag : null }),
    () => (tag ? at({ do: "list_insert", field: "links", index: random(object.links.length + 1), value: tag }) : fresh),
    () => (object.links.length ? at({ do: "list_remove", field: "links", index: index(object.links) }) : fresh),
    () => at({ do: "set", field: "address", value: random(3) ? { $object: { street: label, number: int(random(9)) } } : null }),
    () => (object.address ? at({ do: "set", path: ["address"], field: "street", value: label }) : fresh),
    () => at({ do: "list_insert", field: "addresses", index: random(object.addresses.length + 1), value: { $object: { street: label } } }),
    () =>
      object.addresses.length
        ? at({ do: "set", path: ["addresses", index(object.addresses)], field: "street", value: label })
        : fresh,
    () => (object.addresses.length ? at({ do: "list_remove", field: "addresses", index: index(object.addresses) }) : fresh),
    () => at({ do: "delete" }),
    () => ({ do: "create", class: "Tag", key: ["red", "blue", "green"][random(3)], values: { label } }),
    () => (tags.length ? { do: "delete", class: "Tag", key: tags[random(tags.length)] } : fresh),
  ];
  return choices[random(choices.length)]();
}

test(`random concurrent edits converge (${ROUNDS} rounds, seed ${SEED})`, { timeout: 600000 }, async () => {
  const random = generator(SEED);
  await three(`random-${SEED}`, base, async (peers) => {
    for (let round = 0; round < ROUNDS; round++) {
      const done = [];
      for (const peer of peers) await peer.do("pause");
      for (let turn = 0; turn < 3 + random(8); turn++) {
        const who = random(3);
        const { state } = await peers[who].do("dump");
        const edit = randomEdit(random, state, `${"JjL"[who]}${round}.${turn}`);
        done.push([who, edit]);
        await peers[who].do("edit", { edits: [edit] });
      }
      try {
        await concurrently(peers, []);
      } catch (error) {
        error.message += `\nround ${round}: ${JSON.stringify(done, null, 1)}`;
        throw error;
      }
    }
  });
});
