-- The main job on real input: a server over TLS, and two clients that share the world's countries, their
-- subdivisions and all languages. They go offline, edit the same and different things, come back, and
-- have the same data. `make demo` runs it; so does: lua5.4 examples/demo.lua [FOLDER]

local syncline = require("syncline")

local FOLDER = arg and arg[1] or ((os.getenv("SYNCLINE_BUILD") or "build") .. "/demo")
local SOURCE = "/usr/share/iso-codes/json/"

local SCHEMA = {
    {
        name = "Country", primary_key = "_id",
        properties = {
            { name = "_id", type = "string" }, { name = "name", type = "string" },
            { name = "official_name", type = "string?" }, { name = "alpha_3", type = "string" },
            { name = "numeric", type = "int" }, { name = "flag", type = "string?" },
            { name = "visits", type = "int", default = 0 }, { name = "notes", type = "string[]" },
        },
    },
    {
        name = "Subdivision", primary_key = "_id",
        properties = {
            { name = "_id", type = "string" }, { name = "name", type = "string" }, { name = "kind", type = "string" },
            { name = "country", type = "Country" }, { name = "parent", type = "Subdivision" },
        },
    },
    {
        name = "Language", primary_key = "_id",
        properties = {
            { name = "_id", type = "string" }, { name = "name", type = "string" }, { name = "scope", type = "string" },
            { name = "kind", type = "string" },
        },
    },
}

-- ---- small tools ------------------------------------------------------------------------------------

local function run(command)
    local ok = os.execute(command)
    assert(ok == true or ok == 0, "failed: " .. command)
end

local function read(path)
    local file = io.open(path)
    if not file then return nil end
    local text = file:read("*a")
    file:close()
    return text
end

local function load_json(name)
    local text = read(SOURCE .. name)
    if not text then error(SOURCE .. name .. " is missing: apt-get install iso-codes", 0) end
    local _, list = next(assert(syncline.json.decode(text)))
    return list
end

local function now()
    return syncline.timestamp():tonumber()
end

local on_terminal = os.execute("test -t 1") == true

local function bar(title, part, whole)
    local width = 40
    local full = whole > 0 and math.floor(width * part / whole) or width
    local line = ("%-28s [%s%s] %6d / %d"):format(title, ("#"):rep(full), ("."):rep(width - full), part, whole)
    if on_terminal then
        io.write("\r", line, part >= whole and "\n" or "")
    elseif part >= whole then
        print(line)
    end
    io.flush()
end

-- ---- the server, a process of its own ---------------------------------------------------------------

local function start_server()
    local here = (arg and arg[0] or ""):match("^(.*)/examples/") or "."
    run(("LUA_PATH= LUA_CPATH= ; unset LUA_PATH LUA_CPATH; %s/bin/syncline serve --port 0 --storage %s/server " ..
        "--log-file %s/server.log >%s/url 2>%s/server.err & echo $! >%s/pid"):format(here, FOLDER, FOLDER, FOLDER,
        FOLDER, FOLDER))
    local deadline = now() + 20
    repeat
        local url = read(FOLDER .. "/url")
        if url and url:match("\n") then return url:match("^(%S+)"), read(FOLDER .. "/pid"):match("%d+") end
        run("sleep 0.05")
    until now() > deadline
    error("the server did not start: " .. (read(FOLDER .. "/server.err") or ""), 0)
end

local function stop_server(pid)
    run("kill -TERM " .. pid)
    local deadline = now() + 10
    while os.execute("kill -0 " .. pid .. " 2>/dev/null") == true and now() < deadline do run("sleep 0.05") end
end

-- ---- clients ----------------------------------------------------------------------------------------

local function open_client(name, url)
    local app = assert(syncline.app({ id = "default", base_url = url, tls = { ca = FOLDER .. "/server/tls/cert.pem" } }))
    local user = assert(app:log_in({ provider = "anonymous" }))
    return assert(syncline.open({
        path = ("%s/%s.realm"):format(FOLDER, name), schema = SCHEMA,
        sync = { user = user, partition = "world" },
    }))
end

local function sync(realm)
    assert(realm:sync_session():wait_for_upload(120))
    assert(realm:sync_session():wait_for_download(120))
end

local CLASSES = { "Country", "Subdivision", "Language" }

local function count(realm)
    local total = 0
    for _, class in ipairs(CLASSES) do total = total + realm:objects(class):count() end
    return total
end

-- ---- the import -------------------------------------------------------------------------------------

-- Calls make(realm, item) for every item, 500 per transaction.
local function in_batches(realm, list, make)
    for first = 1, #list, 500 do
        assert(realm:write(function()
            for i = first, math.min(first + 499, #list) do make(realm, list[i]) end
        end))
        syncline.step(0)
    end
end

local function load_world()
    local world = {
        countries = load_json("iso_3166-1.json"), subdivisions = load_json("iso_3166-2.json"),
        languages = load_json("iso_639-3.json"),
    }
    return world, #world.countries + #world.subdivisions + #world.languages
end

local function import(realm, world)
    local children = {} -- a parent may come later in the list than its child
    in_batches(realm, world.countries, function(r, c)
        r:create("Country", { _id = c.alpha_2, name = c.name, official_name = c.official_name, alpha_3 = c.alpha_3,
            numeric = tonumber(c.numeric), flag = c.flag })
    end)
    in_batches(realm, world.subdivisions, function(r, s)
        local country = s.code:sub(1, 2)
        if s.parent then
            local parent = s.parent:find("-", 1, true) and s.parent or country .. "-" .. s.parent
            children[#children + 1] = { s.code, parent }
        end
        r:create("Subdivision", { _id = s.code, name = s.name, kind = s.type, country = r:object("Country", country) })
    end)
    in_batches(realm, children, function(r, pair)
        r:object("Subdivision", pair[1]).parent = r:object("Subdivision", pair[2])
    end)
    in_batches(realm, world.languages, function(r, l)
        r:create("Language", { _id = l.alpha_3, name = l.name, scope = l.scope, kind = l.type })
    end)
end

-- ---- edits while offline ----------------------------------------------------------------------------

local function edit_offline(a, b)
    assert(a:write(function()
        a:object("Country", "FR").name = "France (as A calls it)"
        a:object("Country", "IS"):increment("visits", 2)
        local notes = a:object("Country", "IS").notes
        notes:insert("A: whales")
        notes:insert("A: geysers")
        a:delete(a:object("Language", "aaa"))
        a:object("Subdivision", "DE-BY").name = "Bavaria"
    end))
    assert(b:write(function()
        b:object("Country", "FR").name = "France (as B calls it)"
        b:object("Country", "IS"):increment("visits", 3)
        local notes = b:object("Country", "IS").notes
        notes:insert("B: lava")
        notes:insert(1, "B: bring a coat")
        b:object("Language", "aaa").name = "edited by B, deleted by A"
        b:object("Country", "JP").official_name = nil
        b:create("Language", { _id = "qsl", name = "Syncline", scope = "I", kind = "C" })
    end))
end

-- ---- the program ------------------------------------------------------------------------------------

local function kib(bytes)
    return ("%.1f KiB"):format(bytes / 1024)
end

local function table_line(name, value)
    print(("  %-34s %s"):format(name, value))
end

local function demo(url)
    local a, b = open_client("a", url), open_client("b", url)
    assert(b:sync_session():wait_for_download(30))

    local world, total = load_world()
    local observer = b:observe(function() bar("B receives what A imports", count(b), total) end)
    local began = now()
    import(a, world)
    local imported = now() - began
    assert(syncline.run(function() return count(b) >= total end, 120))
    sync(a)
    sync(b)
    observer:stop()
    local first_sync = now() - began
    local changesets = a:info().uploaded_changesets

    print("\nBoth go offline and edit the same and different things.")
    a:sync_session():pause()
    b:sync_session():pause()
    edit_offline(a, b)
    print(("  A calls FR %q, B calls it %q"):format(a:object("Country", "FR").name, b:object("Country", "FR").name))
    began = now()
    a:sync_session():resume()
    b:sync_session():resume()
    sync(a)
    sync(b)
    sync(a)
    local converged = now() - began
    assert(a:state() == b:state(), "A and B differ")
    local iceland = a:object("Country", "IS")
    print("Both are back, and equal:")
    print(("  FR is %q, IS was visited %d times"):format(a:object("Country", "FR").name, iceland.visits))
    print("  notes on IS: " .. table.concat(iceland.notes:to_table(), ", "))
    print(("  language aaa: %s, language qsl: %s"):format(a:object("Language", "aaa") and "there" or "deleted",
        a:object("Language", "qsl").name))

    local ta, tb = a:sync_session():traffic(), b:sync_session():traffic()
    local wire, plain = ta.sent + ta.received + tb.sent + tb.received, ta.uncompressed + tb.uncompressed
    print("\nIn figures:")
    table_line("objects", total)
    table_line("changesets of the import", changesets)
    table_line("bytes on the wire, both clients", kib(wire))
    table_line("without compression it would be", ("%s (saved %.0f %%)"):format(kib(plain), 100 * (1 - wire / plain)))
    table_line("import at A", ("%.2f s"):format(imported))
    table_line("import at A to equal copies", ("%.2f s"):format(first_sync))
    table_line("offline edits to equal copies", ("%.3f s"):format(converged))
    a:close()
    b:close()
end

local function queries()
    print("\nLook into both files with any SQLite tool:")
    for _, name in ipairs({ "a", "b" }) do
        print(([[  sqlite3 %s/%s.realm "SELECT c.name, count(*) FROM Subdivision s JOIN Country c ON c._id = s.country ]] ..
            [[GROUP BY 1 ORDER BY 2 DESC LIMIT 5"]]):format(FOLDER, name))
    end
    print(([[  sqlite3 %s/a.realm "SELECT _id, name, visits, notes FROM Country WHERE _id IN ('FR','IS')"]]):format(FOLDER))
    print(([[  sqlite3 %s/b.realm "SELECT * FROM _sl_log ORDER BY version DESC LIMIT 5"]]):format(FOLDER))
end

run(("rm -rf '%s' && mkdir -p '%s'"):format(FOLDER, FOLDER))
local url, pid = start_server()
print("server at " .. url)
local ok, problem = xpcall(demo, debug.traceback, url)
stop_server(pid)
if not ok then
    io.stderr:write(problem, "\n")
    os.exit(1)
end
queries()
