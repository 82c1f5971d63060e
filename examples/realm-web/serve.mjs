// Serves this folder and the SDK's files. Usage: node serve.mjs SDK_DIR [PORT [CERTIFICATE KEY]]
// SDK_DIR holds bundle.browser.mjs, realm-js-wasm.mjs, realm-js-wasm.wasm and bson.mjs.
import fs from "node:fs";
import http from "node:http";
import https from "node:https";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const [sdk, port = "8000", certificate, key] = process.argv.slice(2);
if (!sdk) {
  console.error("usage: node serve.mjs SDK_DIR [PORT [CERTIFICATE KEY]]");
  process.exit(2);
}

const types = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
};

function answer(request, response) {
  const name = new URL(request.url, "http://page").pathname;
  const wanted = name === "/" ? "/index.html" : name;
  const file = wanted.startsWith("/sdk/") ? path.join(sdk, path.basename(wanted)) : path.join(here, path.basename(wanted));
  const type = types[path.extname(file)];
  if (!type || !fs.existsSync(file)) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, { "Content-Type": type });
  fs.createReadStream(file).pipe(response);
}

const server = certificate
  ? https.createServer({ cert: fs.readFileSync(certificate), key: fs.readFileSync(key) }, answer)
  : http.createServer(answer);
server.listen(Number(port), "127.0.0.1", () => {
  console.log(`${certificate ? "https" : "http"}://localhost:${server.address().port}/`);
});
