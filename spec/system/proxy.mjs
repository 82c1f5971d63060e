// A proxy on loopback that does to connections what bad networks do to them. Every connection gets the next
// fault of a list, and the fault strikes after a number of octets; without a list the proxy is faithful.
import net from "node:net";

export const FAULTS = [
  "cut", // ends both sides, in the middle of what is under way
  "reset", // RST to both sides
  "freeze", // half-open: nothing passes any more, nobody is told
  "deaf", // what the server says no longer arrives; the other direction works on
  "delay", // everything comes late, then the connection is cut
  "throttle", // a trickle, then the connection is cut
  "crumble", // octets come one by one, so that reads end in the middle of things; then a cut
  "refuse", // the connection ends before a word is said
  "ignore", // the connection is taken, and nothing more happens
];

class Link {
  constructor(proxy, down, fault, limit) {
    Object.assign(this, { proxy, down, fault, limit, passed: 0, queued: Promise.resolve() });
    down.on("error", () => {});
    if (fault === "refuse") return this.strike(() => down.destroy());
    if (fault === "ignore") return this.strike(() => down.resume());
    this.up = net.connect(proxy.target, "127.0.0.1");
    this.up.setNoDelay(true);
    down.setNoDelay(true);
    this.up.on("error", () => {});
    this.pipe(down, this.up, false);
    this.pipe(this.up, down, true);
  }
  strike(act) {
    if (this.struck) return;
    this.struck = true;
    this.proxy.struck(this.fault);
    act();
  }
  // The fault, once the octets are used up; true when nothing more is to pass in this direction.
  fails(toClient) {
    if (this.passed < this.limit) return false;
    if (this.fault === "freeze" || this.fault === "deaf") {
      this.strike(() => {});
      return this.fault === "freeze" || toClient;
    }
    this.strike(() => this.end(this.fault === "reset"));
    return true;
  }
  end(reset) {
    for (const side of [this.up, this.down]) {
      if (!side || side.destroyed) continue;
      if (reset) side.resetAndDestroy();
      else side.destroySoon(); // what was passed on still goes out, to the last octet
    }
  }
  pass(to, chunk, toClient) {
    if (!this.fault) return void to.write(chunk);
    if (this.struck && this.fails(toClient)) return;
    const part = chunk.subarray(0, Math.max(0, this.limit - this.passed));
    const step = this.fault === "crumble" ? 1 : Math.max(1, part.length);
    for (let at = 0; at < part.length; at += step) to.write(part.subarray(at, at + step));
    this.passed += part.length;
    // A deaf link goes on in the other direction.
    if (!this.fails(toClient) && part.length < chunk.length) to.write(chunk.subarray(part.length));
  }
  pipe(from, to, toClient) {
    const pace = { delay: 60, throttle: 15 }[this.fault];
    from.on("data", (chunk) => {
      if (!pace) return this.pass(to, chunk, toClient);
      // Slow links keep the order; a trickle passes 600 octets at a time.
      from.pause();
      const parts = [];
      const size = this.fault === "throttle" ? 600 : chunk.length;
      for (let at = 0; at < chunk.length; at += size) parts.push(chunk.subarray(at, at + size));
      const next = () => {
        if (parts.length === 0) from.resume();
        else setTimeout(() => (this.pass(to, parts.shift(), toClient), next()), pace);
      };
      next();
    });
    // A frozen link does not pass on the end of a side either.
    from.on("close", () => {
      if (!(this.struck && (this.fault === "freeze" || this.fault === "deaf"))) to.destroySoon();
    });
  }
}

export class Proxy {
  // `random` decides after how many octets a fault strikes.
  constructor(target, random) {
    Object.assign(this, { target, random, plan: [], counts: {}, links: new Set(), connections: 0 });
    this.server = net.createServer((socket) => {
      this.connections++;
      const fault = this.plan.shift();
      // Some in the handshake of TLS, some in that of the session, most while data flows.
      const limit = fault && Math.floor(20 + 40000 * this.random() ** 2);
      this.links.add(new Link(this, socket, fault, limit));
    });
  }
  async listen() {
    await new Promise((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    this.port = this.server.address().port;
    return this;
  }
  // Gives the faults of the list to the coming connections; resolves when each of them has struck.
  faults(list) {
    this.plan = [...list];
    this.missing = list.length;
    return new Promise((resolve) => (this.whenDone = resolve));
  }
  struck(fault) {
    this.counts[fault] = (this.counts[fault] ?? 0) + 1;
    if (--this.missing === 0) this.whenDone();
  }
  close() {
    this.server.close();
    for (const link of this.links) {
      link.down.destroy();
      link.up?.destroy();
    }
  }
}
