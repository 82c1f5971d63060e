-- A task list in the terminal, the Lua twin of examples/realm-web: both share the tasks of one partition.
--
--   lua5.4 examples/tasks.lua                          lists the tasks
--   lua5.4 examples/tasks.lua add Water the plants
--   lua5.4 examples/tasks.lua done 2 | undo 2 | remove 2
--   lua5.4 examples/tasks.lua watch                    stays and shows what others do
--
-- With SYNCLINE_URL=https://localhost:9090 (and SYNCLINE_CA=cert.pem for a certificate that the system does
-- not know) the tasks are synchronised; without it, or without a network, they stay in the file.

local syncline = require("syncline")

local folder = os.getenv("SYNCLINE_EXAMPLE") or "."
local server, list = os.getenv("SYNCLINE_URL"), os.getenv("SYNCLINE_LIST") or "shared"

local function user()
    local app = assert(syncline.app({
        id = os.getenv("SYNCLINE_APP") or "tasks", base_url = server, path = folder .. "/tasks-users.json",
        tls = { ca = os.getenv("SYNCLINE_CA") },
    }))
    return app:current_user() or assert(app:log_in({ provider = "anonymous" }))
end

local realm = assert(syncline.open({
    path = folder .. "/tasks.realm",
    schema = {
        {
            name = "Task", primary_key = "_id",
            properties = {
                _id = { type = "objectid", default = syncline.objectid }, title = "string",
                done = { type = "bool", default = false }, created = { type = "timestamp", default = syncline.timestamp },
            },
        },
    },
    sync = server and { user = user(), partition = list } or nil,
}))

local session = realm:sync_session()
-- What others did meanwhile comes first; without a network the file is all there is.
if session then session:wait_for_download(5) end

local tasks = realm:objects("Task"):sorted("created")

local function show()
    if tasks:count() == 0 then print("no tasks") end
    local position = 0
    for task in tasks:each() do
        position = position + 1
        print(("%3d [%s] %s"):format(position, task.done and "x" or " ", task.title))
    end
end

local function task_at(text)
    return tasks:at(tonumber(text) or 0) or error("there is no task " .. tostring(text), 0)
end

local actions = {}

function actions.add(...)
    local title = table.concat({ ... }, " ")
    if title == "" then error("a task needs a title", 0) end
    assert(realm:write(function() realm:create("Task", { title = title }) end))
end

local function set_done(done)
    return function(text)
        local task = task_at(text)
        assert(realm:write(function() task.done = done end))
    end
end

actions.done, actions.undo = set_done(true), set_done(false)

function actions.remove(text)
    local task = task_at(text)
    assert(realm:write(function() realm:delete(task) end))
end

function actions.watch()
    tasks:observe(show)
    syncline.run()
end

local name = arg and arg[1]
if name and not actions[name] then
    io.stderr:write("tasks.lua [add TITLE | done N | undo N | remove N | watch]\n")
    os.exit(2)
end
local ok, problem = pcall(function()
    if name then actions[name]((table.unpack or unpack)(arg, 2)) end -- luacheck: ignore unpack
end)
if ok then show() else io.stderr:write(tostring(problem), "\n") end
if session then
    local sent, message = session:wait_for_upload(5)
    if not sent then io.stderr:write("kept for later: ", message, "\n") end
end
realm:close()
os.exit(ok and 0 or 1)
