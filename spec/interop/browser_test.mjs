// The example app of examples/realm-web in headless Chromium: two pages and a Lua device share one list.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import readline from "node:readline";
import { after, before, test } from "node:test";
import { luaPeer, root, Server, temporary, within } from "./harness.mjs";

const dist = path.resolve(process.env.REALM_DIST ?? "build/interop");
const require = createRequire(path.join(dist, "package.json"));
const { chromium } = require("playwright-core");

const schema = [
  { name: "Task", primaryKey: "_id", properties: { _id: "objectId", title: "string", done: "bool", created: "date" } },
];

let server, site, siteUrl, browsers;
before(async () => {
  server = await new Server().start();
  const files = ["examples/realm-web/serve.mjs", path.join(dist, "static"), "0", server.ca, server.key];
  site = spawn(process.execPath, files, { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
  const line = new Promise((resolve) => readline.createInterface({ input: site.stdout }).once("line", resolve));
  siteUrl = await within(line, 10, "the example's web server");
  browsers = [];
});
after(async () => {
  for (const browser of browsers ?? []) await browser.close();
  site?.kill();
  if (server) await server.stop();
});

// A browser of its own per device: nothing is shared but the server.
async function open(list) {
  const context = await chromium.launchPersistentContext(temporary("chromium"), {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    ignoreHTTPSErrors: true,
    viewport: { width: 760, height: 520 },
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--ignore-certificate-errors",
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    ],
  });
  browsers.push(context);
  const page = await context.newPage();
  const address = `${siteUrl}?app=interop-app&list=${list}&server=${encodeURIComponent(server.baseUrl)}`;
  await page.goto(address);
  await page.waitForFunction(() => document.getElementById("status").textContent === "in sync", null, {
    timeout: 30000,
  });
  return page;
}

const titles = (page) => page.locator("#tasks li span").allTextContents();

async function shows(page, expected) {
  await page.waitForFunction(
    (wanted) =>
      JSON.stringify([...document.querySelectorAll("#tasks li span")].map((s) => s.textContent)) ===
      JSON.stringify(wanted),
    expected,
    { timeout: 20000 },
  );
}

async function add(page, title) {
  await page.fill("#title", title);
  await page.click("#add button");
}

test("two browsers and a Lua device share a task list", { timeout: 120000 }, async () => {
  const first = await open("shared");
  const second = await open("shared");
  const lua = luaPeer(server);
  try {
    await lua.do("login", { app_id: "interop-app", base_url: server.baseUrl, ca: server.ca });
    await lua.do("open", { partition: "shared", schema });

    await add(first, "Water the plants");
    await shows(second, ["Water the plants"]);
    await add(second, "Feed the cat");
    await shows(first, ["Water the plants", "Feed the cat"]);

    await lua.do("sync");
    const { state } = await lua.do("dump");
    assert.deepEqual(state.Task.map((task) => task.title).sort(), ["Feed the cat", "Water the plants"]);
    await lua.do("edit", {
      edits: [
        {
          do: "create",
          class: "Task",
          key: { $oid: "ffffffffffffffffffffffff" },
          values: { title: "Written in Lua 🌙", done: false, created: { $date: "2040-01-01T00:00:00.000Z" } },
        },
      ],
    });
    await lua.do("sync");
    for (const page of [first, second]) await shows(page, ["Water the plants", "Feed the cat", "Written in Lua 🌙"]);

    // Offline on all three, concurrent edits, and back.
    for (const page of [first, second]) await page.check("#offline");
    await lua.do("pause");
    await first.locator("#tasks li input").nth(0).check();
    await add(second, "Written meanwhile");
    await second.locator("#tasks li button").nth(1).click();
    const own = { class: "Task", key: { $oid: "ffffffffffffffffffffffff" } };
    await lua.do("edit", { edits: [{ do: "set", ...own, field: "done", value: true }] });
    for (const page of [first, second]) await page.uncheck("#offline");
    await lua.do("resume");
    await lua.do("sync");
    const expected = ["Water the plants", "Written meanwhile", "Written in Lua 🌙"];
    for (const page of [first, second]) {
      await shows(page, expected);
      await page.waitForFunction(() => document.querySelectorAll("#tasks li.done").length === 2, null, { timeout: 20000 });
    }
    await lua.do("sync");
    const after = (await lua.do("dump")).state.Task;
    assert.deepEqual(after.map((task) => task.title).sort(), [...expected].sort());
    const done = after.filter((task) => task.done).map((task) => task.title);
    assert.deepEqual(done.sort(), ["Water the plants", "Written in Lua 🌙"]);
    for (const page of [first, second]) {
      assert.deepEqual((await page.locator("#tasks li.done span").allTextContents()).sort(), done);
    }
    if (process.env.SCREENSHOT) {
      fs.mkdirSync(path.dirname(process.env.SCREENSHOT), { recursive: true });
      await second.screenshot({ path: process.env.SCREENSHOT });
    }
    assert.deepEqual(await titles(first), await titles(second));
  } finally {
    await lua.quit();
  }
});
