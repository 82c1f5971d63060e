// Every kind of property, in the notation of Realm JS; lua_peer.lua reads the same.
export const schema = [
  { name: "Address", embedded: true, properties: { street: "string?", number: "int?" } },
  { name: "Tag", primaryKey: "_id", properties: { _id: "string", label: "string?" } },
  {
    name: "Everything",
    primaryKey: "_id",
    properties: {
      _id: "objectId",
      b: "bool?",
      i: "int?",
      f: "float?",
      d: "double?",
      s: "string?",
      bin: "data?",
      dt: "date?",
      dec: "decimal128?",
      oid: "objectId?",
      u: "uuid?",
      m: "mixed",
      ints: "int[]",
      strings: "string[]",
      set: "string<>",
      numbers: "int<>",
      dict: "string{}",
      link: "Tag?",
      links: "Tag[]",
      address: "Address?",
      addresses: "Address[]",
    },
  },
];

export const id = (n) => ({ $oid: n.toString(16).padStart(24, "0") });
export const int = (n) => ({ $int: String(n) });

// One value for each scalar property.
export const scalars = {
  b: true,
  i: int(-42),
  f: { $double: "1.5" },
  d: { $double: "3.141592653589793" },
  s: "žluťoučký 🐎 \"quoted\" \\ line\nend",
  bin: { $binary: Buffer.from([0, 1, 2, 255, 254]).toString("base64") },
  dt: { $date: "2024-02-29T12:34:56.789Z" },
  dec: { $decimal: "123.456" },
  oid: { $oid: "0123456789abcdef01234567" },
  u: { $uuid: "3b241101-e2bb-4255-8caf-4136c566a962" },
  m: "mixed text",
};
