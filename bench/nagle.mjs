// From the write of one device to the arrival at another, for devices that leave Nagle's algorithm on, as the native
// SDKs do: a short UPLOAD waits until the server's kernel has acknowledged the one before.
// Usage: node bench/nagle.mjs [ROUNDS]
import { Server } from "../spec/interop/harness.mjs";
import { RawClient } from "../spec/system/raw_client.mjs";
import { schemaChangeset, tokens } from "../spec/system/support.mjs";

const ROUNDS = Number(process.argv[2] ?? 300);

async function joined(server, token, partition) {
  const client = new RawClient(server, token);
  await client.opened;
  client.socket._socket.setNoDelay(false);
  return client.join(partition);
}

// Acknowledges a DOWNLOAD as SDKs do: an UPLOAD without changesets. The integration was a version of the device's own.
function report(client, version, seen) {
  client.send(`upload 1 0 0 0 ${version} ${seen} ${seen}`);
}

async function round(writer, reader, i) {
  const began = performance.now();
  writer.upload([writer.changeset], { from: 2 * i + 1, seen: writer.seen, locked: writer.seen });
  const arrived = Number((await reader.next("download")).fields[1]);
  const took = performance.now() - began;
  report(reader, i + 1, arrived);
  writer.seen = Number((await writer.next("download")).fields[1]);
  report(writer, 2 * i + 2, writer.seen);
  return took;
}

async function measure(options, name) {
  const server = await new Server({ config: 'log = { level = "error" },', ...options }).start();
  try {
    const [token] = tokens(server, ["nagle"]);
    const [writer, reader] = [await joined(server, token, "nagle"), await joined(server, token, "nagle")];
    writer.changeset = schemaChangeset("one");
    writer.seen = 0;
    const times = [];
    for (let i = 0; i < ROUNDS; i++) times.push(await round(writer, reader, i));
    times.sort((a, b) => a - b);
    const at = (part) => times[Math.floor((times.length - 1) * part)].toFixed(2);
    console.log(`${name}: write to visible p50 ${at(0.5)} ms, p99 ${at(0.99)} ms (${ROUNDS} writes)`);
    await writer.close();
    await reader.close();
  } finally {
    await server.stop();
  }
}

await measure({}, "TLS");
await measure({ tls: false }, "plain");
