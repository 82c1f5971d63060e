// A task list that everybody with the page open shares. Written for the Realm SDK as it always was; the
// only thing that points at Syncline is `baseUrl`.
import { Realm } from "./sdk/bundle.browser.mjs";
import { ObjectId } from "bson";

const parameters = new URLSearchParams(location.search);
const appId = parameters.get("app") ?? "tasks";
const baseUrl = parameters.get("server") ?? "https://localhost:9443";
const partition = parameters.get("list") ?? "shared";

const Task = {
  name: "Task",
  primaryKey: "_id",
  properties: { _id: "objectId", title: "string", done: { type: "bool", default: false }, created: "date" },
};

const byId = (id) => document.getElementById(id);
const say = (text) => (byId("status").textContent = text);

// Kept reachable on purpose: this build of the SDK must not collect a synced Realm.
const kept = (globalThis.sharedTasks = {});

function draw(tasks, write) {
  byId("tasks").replaceChildren(
    ...tasks.map((task) => {
      const row = document.createElement("li");
      row.className = task.done ? "done" : "";
      const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: task.done });
      box.addEventListener("change", () => write(() => (task.done = box.checked)));
      const title = Object.assign(document.createElement("span"), { textContent: task.title });
      box.setAttribute("aria-label", `done: ${task.title}`);
      const remove = Object.assign(document.createElement("button"), { textContent: "Remove" });
      remove.addEventListener("click", () => write((realm) => realm.delete(task)));
      row.append(box, title, remove);
      return row;
    }),
  );
  const open = tasks.filter((task) => !task.done).length;
  byId("summary").textContent = `${open} open, ${tasks.length - open} done`;
}

async function main() {
  kept.app = new Realm.App({ id: appId, baseUrl });
  kept.user = await kept.app.logIn(Realm.Credentials.anonymous());
  kept.realm = await Realm.open({
    schema: [Task],
    sync: { user: kept.user, partitionValue: partition, onError: (_, error) => say(error.message) },
  });
  const { realm } = kept;
  const tasks = realm.objects("Task").sorted("created");
  const write = (change) => realm.write(() => change(realm));
  tasks.addListener(() => draw(tasks, write));
  draw(tasks, write);

  byId("add").addEventListener("submit", (event) => {
    event.preventDefault();
    const title = byId("title").value.trim();
    if (title) write(() => realm.create("Task", { _id: new ObjectId(), title, created: new Date() }));
    byId("title").value = "";
  });
  byId("offline").addEventListener("change", (event) => {
    if (event.target.checked) realm.syncSession.pause();
    else realm.syncSession.resume();
    say(event.target.checked ? "offline: changes wait here" : "in sync");
  });
  say("in sync");
}

main().catch((error) => say(`failed: ${error.message}`));
