// Runs the browser build of Realm JS in plain Node: supplies the few browser globals it uses.
// The directory with the unpacked package is taken from REALM_DIST.
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const dist = path.resolve(process.env.REALM_DIST ?? "build/interop");
const require = createRequire(path.join(dist, "package.json"));

globalThis.window = globalThis;
if (!globalThis.navigator) {
  Object.defineProperty(globalThis, "navigator", {
    value: { userAgent: "node", languages: ["en"] },
    configurable: true,
  });
}
globalThis.WebSocket = require("ws");

const nodeFetch = globalThis.fetch;

// The HTTP transport of the build uses XMLHttpRequest; this is the part of it that it touches.
globalThis.XMLHttpRequest = class {
  constructor() {
    this.readyState = 0;
    this.status = 0;
    this.statusText = "";
    this.response = null;
    this.responseURL = "";
    this.requestHeaders = {};
    this.answerHeaders = "";
  }
  open(method, url) {
    this.method = method;
    this.url = url;
    this.readyState = 1;
  }
  setRequestHeader(name, value) {
    this.requestHeaders[name] = value;
  }
  getAllResponseHeaders() {
    return this.answerHeaders;
  }
  overrideMimeType() {}
  abort() {}
  async send(body) {
    try {
      const answer = await nodeFetch(this.url, {
        method: this.method,
        headers: this.requestHeaders,
        body: body ? Buffer.from(body) : undefined,
      });
      this.status = answer.status;
      this.statusText = answer.statusText;
      this.responseURL = answer.url;
      answer.headers.forEach((value, name) => (this.answerHeaders += `${name}: ${value}\r\n`));
      this.response = await answer.arrayBuffer();
      this.readyState = 4;
      this.onreadystatechange?.({});
      this.onload?.({});
    } catch {
      this.readyState = 4;
      this.onreadystatechange?.({});
      this.onerror?.({});
    }
  }
};

globalThis.fetch = async (resource, options) => {
  const url = String(resource.url ?? resource);
  if (!url.startsWith("file:")) return nodeFetch(resource, options);
  return new Response(fs.readFileSync(new URL(url)), {
    headers: { "Content-Type": "application/wasm" },
  });
};

const bundle = await import(pathToFileURL(path.join(dist, "static/bundle.browser.mjs")));
export const Realm = bundle.Realm;
export const BSON = require("bson");
