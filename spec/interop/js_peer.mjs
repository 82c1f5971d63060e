// One Realm JS device. Reads one JSON command per line from standard input and answers each with one
// JSON line {"id":..,"ok":..} or {"id":..,"error":..}. The Lua twin is lua_peer.lua; both understand
// the same commands (login, open, edit, sync, pause, resume, dump, ...), the schemas of Realm JS, and
// neutral values: null, text and booleans stand for themselves, everything else is an object with one
// member: $int, $double (texts), $binary (base64), $date (ISO, milliseconds), $decimal, $oid, $uuid,
// $link ([class, key]), $object (embedded), $dict, $set; lists are arrays. Indices count from 0.
import readline from "node:readline";

// This build notices a lost connection only when a PONG stays out, after minutes. PEER_FAST makes its long
// delays sixty times shorter.
const patient = globalThis.setTimeout;
if (process.env.PEER_FAST) {
  globalThis.setTimeout = (fn, delay, ...rest) => patient(fn, delay > 5000 ? delay / 60 : delay, ...rest);
}
const { Realm, BSON } = await import("./realm_node.mjs");

// A collected synced App or Realm blocks this build for ever, so everything stays reachable.
const pinned = (globalThis.pinned = []);
const pin = (thing) => (pinned.push(thing), thing);
const errors = [];
const resets = [];
let app, user, realm, schemas;

const timed = (promise, what, seconds = 30) =>
  Promise.race([
    promise,
    new Promise((_, reject) =>
      patient(() => reject(new Error(`${what}: no result within ${seconds} s`)), seconds * 1000).unref(),
    ),
  ]);

const { ObjectId, UUID, Decimal128 } = BSON;

// Neutral value -> what Realm JS takes.
function decode(value) {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(decode);
  if ("$int" in value) return Number(value.$int);
  if ("$double" in value) return Number(value.$double);
  if ("$binary" in value) return new Uint8Array(Buffer.from(value.$binary, "base64")).buffer;
  if ("$date" in value) return new Date(value.$date);
  if ("$decimal" in value) return Decimal128.fromString(value.$decimal);
  if ("$oid" in value) return new ObjectId(value.$oid);
  if ("$uuid" in value) return new UUID(value.$uuid);
  if ("$link" in value) {
    const target = realm.objectForPrimaryKey(value.$link[0], decode(value.$link[1]));
    if (!target) throw new Error(`no ${value.$link[0]} with that key`);
    return target;
  }
  if ("$object" in value) return decodeMembers(value.$object);
  if ("$dict" in value) return decodeMembers(value.$dict);
  throw new Error(`unknown value ${JSON.stringify(value)}`);
}
const decodeMembers = (members) =>
  Object.fromEntries(Object.entries(members).map(([name, value]) => [name, decode(value)]));

const keyName = (className) => schemas.find((s) => s.name === className).primaryKey;

// What Realm JS gives -> neutral value, guided by the declared type where JavaScript cannot tell.
function encode(value, type) {
  if (value === null || value === undefined) return null;
  if (typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number") {
    if (type === "int") return { $int: String(value) };
    if (type === "double" || type === "float" || !Number.isInteger(value)) return { $double: String(value) };
    return { $number: String(value) };
  }
  if (value instanceof ArrayBuffer) return { $binary: Buffer.from(value).toString("base64") };
  if (ArrayBuffer.isView(value)) return { $binary: Buffer.from(value.buffer).toString("base64") };
  if (value instanceof Date) return { $date: value.toISOString() };
  if (value instanceof Realm.List || value instanceof Realm.Results) return [...value].map((v) => encode(v, type));
  if (value instanceof Realm.Set)
    return { $set: [...value].map((v) => encode(v, type)).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)) };
  if (value instanceof Realm.Dictionary) {
    const members = Object.keys(value).sort().map((name) => [name, encode(value[name], type)]);
    return { $dict: Object.fromEntries(members) };
  }
  if (value instanceof Realm.Object) {
    const schema = value.objectSchema();
    if (schema.embedded) return { $object: encodeObject(value, schema.name) };
    return { $link: [schema.name, encode(value[schema.primaryKey], declared(schema.name, schema.primaryKey))] };
  }
  switch (value._bsontype) {
    case "ObjectID":
    case "ObjectId":
      return { $oid: value.toHexString() };
    case "UUID":
    case "Binary":
      return { $uuid: new UUID(value.buffer).toString() };
    case "Decimal128":
      return { $decimal: value.toString() };
  }
  throw new Error(`cannot describe ${Object.prototype.toString.call(value)}`);
}

// The element type as declared in the schema command: "int?[]" -> "int".
function declared(className, field) {
  const property = schemas.find((s) => s.name === className).properties[field];
  const type = typeof property === "string" ? property : property.objectType ?? property.type;
  return type.replace(/[?[\]{}<>]/g, "");
}

function encodeObject(object, className) {
  const fields = Object.keys(schemas.find((s) => s.name === className).properties).sort();
  return Object.fromEntries(fields.map((field) => [field, encode(object[field], declared(className, field))]));
}

const find = ({ class: className, key }) => {
  const object = realm.objectForPrimaryKey(className, decode(key));
  if (!object) throw new Error(`no ${className} with key ${JSON.stringify(key)}`);
  return object;
};

// The container an operation works on: a property, or a member of an embedded object or list.
const place = (edit) => (edit.path ?? []).reduce((at, step) => at[step], find(edit));

const edits = {
  create: (e) => realm.create(e.class, { [keyName(e.class)]: decode(e.key), ...decodeMembers(e.values ?? {}) }, "modified"),
  delete: (e) => realm.delete(find(e)),
  set: (e) => (place(e)[e.field] = decode(e.value)),
  list_insert: (e) => place(e)[e.field].splice(e.index, 0, decode(e.value)),
  list_set: (e) => (place(e)[e.field][e.index] = decode(e.value)),
  list_remove: (e) => place(e)[e.field].splice(e.index, 1),
  list_move: (e) => place(e)[e.field].move(e.from, e.to),
  list_clear: (e) => place(e)[e.field].splice(0),
  set_add: (e) => place(e)[e.field].add(decode(e.value)),
  set_remove: (e) => place(e)[e.field].delete(decode(e.value)),
  dict_set: (e) => place(e)[e.field].set({ [e.name]: decode(e.value) }),
  dict_remove: (e) => place(e)[e.field].remove([e.name]),
};

const commands = {
  async login({ app_id, base_url, credentials }) {
    app = pin(new Realm.App({ id: app_id, baseUrl: base_url }));
    const { provider, ...rest } = credentials ?? { provider: "anonymous" };
    const make = {
      anonymous: () => Realm.Credentials.anonymous(),
      email: () => Realm.Credentials.emailPassword(rest.email, rest.password),
      api_key: () => Realm.Credentials.apiKey(rest.key),
      jwt: () => Realm.Credentials.jwt(rest.token),
      function: () => Realm.Credentials.function(rest.payload),
    };
    user = pin(await timed(app.logIn(make[provider]()), "logIn"));
    return { user_id: user.id };
  },
  async register({ app_id, base_url, email, password }) {
    app = pin(new Realm.App({ id: app_id, baseUrl: base_url }));
    await timed(app.emailPasswordAuth.registerUser({ email, password }), "registerUser");
    return {};
  },
  async call({ name, args }) {
    return { result: await timed(user.functions[name](...args), "a function") };
  },
  async open({ partition, schema, client_reset: mode }) {
    schemas = schema;
    const clientReset = mode && { mode, onBefore: () => resets.push("before"), onAfter: () => resets.push("after") };
    const sync = {
      user,
      partitionValue: decode(partition),
      ...(clientReset ? { clientReset } : {}),
      onError: (_session, error) => errors.push({ name: error.name, code: error.code, message: error.message }),
    };
    realm = pin(await timed(Realm.open({ schema, sync }), "Realm.open"));
    return {};
  },
  async resets() {
    return { resets };
  },
  async edit({ edits: list }) {
    realm.write(() => list.forEach((edit) => edits[edit.do](edit)));
    return {};
  },
  async sync() {
    await timed(realm.syncSession.uploadAllLocalChanges(), "uploadAllLocalChanges");
    await timed(realm.syncSession.downloadAllServerChanges(), "downloadAllServerChanges");
    return {};
  },
  async pause() {
    realm.syncSession.pause();
    return {};
  },
  async resume() {
    realm.syncSession.resume();
    return {};
  },
  async reconnect() {
    Realm.App.Sync.reconnect(app);
    return {};
  },
  async dump() {
    const state = {};
    for (const { name, embedded, primaryKey } of schemas) {
      if (embedded) continue;
      state[name] = [...realm.objects(name)]
        .map((object) => encodeObject(object, name))
        .sort((a, b) => (JSON.stringify(a[primaryKey]) < JSON.stringify(b[primaryKey]) ? -1 : 1));
    }
    return { state };
  },
  async count({ class: className }) {
    return { count: realm.objects(className).length };
  },
  async errors() {
    return { errors: errors.splice(0) };
  },
  async quit() {
    setImmediate(() => process.exit(0));
    return {};
  },
};

if (process.env.PEER_LOG) {
  Realm.setLogLevel(process.env.PEER_LOG);
  Realm.setLogger((level, text) => process.stderr.write(`[${level}] ${text}\n`));
}
const answer = (line) => process.stdout.write(JSON.stringify(line) + "\n");
let queue = Promise.resolve();
readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const command = JSON.parse(line);
  queue = queue.then(async () => {
    try {
      answer({ id: command.id, ok: await commands[command.cmd](command) });
    } catch (error) {
      answer({ id: command.id, error: String(error.message ?? error), code: error.code ?? null });
    }
  });
});
process.stdin.on("close", () => process.exit(0));
answer({ ready: true });
