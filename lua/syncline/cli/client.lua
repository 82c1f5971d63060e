-- syncline client: keeps a realm file in step with a server, runs a script on it, watches it.

local check = require("syncline.check")
local common = require("syncline.cli.common")
local core = require("syncline.core")
local partitions = require("syncline.partition")
local syncline = require("syncline")

local FIELDS = { path = "string", schema = "table", sync = "table", script = "string|function", watch = "boolean",
    timeout = "number", fast_commits = "boolean", async_open = "boolean", keep_trying = "boolean" }

local function token_of(given)
    if given.token and given.token_file then common.misuse("either --token or --token-file") end
    return given.token_file and common.read_secret("token-file", given.token_file) or given.token
end

-- The value that the option names; says which one, since "42" and 42 are different realms.
local function read_partition(text)
    local read, canonical, meaning = partitions.read(text)
    if not read then common.misuse("--%s", canonical) end
    io.stderr:write("partition: ", meaning, "\n")
    return core.ejson.decode(canonical)
end

local function read_config(given)
    local config = given.config and common.load_config(given.config) or {}
    check.options(given.config or "client", config, FIELDS)
    config.sync = config.sync or {}
    if given.path then config.path = given.path end
    if given.schema then config.schema = common.load_schema(given.schema) end
    if given.script then config.script = given.script end
    if given.watch then config.watch = true end
    for _, name in ipairs({ "async_open", "keep_trying" }) do
        if given[name] then config[name] = true end
    end
    if given.partition then config.sync.partition = read_partition(given.partition) end
    if given.reseed then config.sync.reseed = true end
    for option, name in pairs({ url = "url", app = "app_id", ca_file = "ca_file" }) do
        if given[option] then config.sync[name] = given[option] end
    end
    config.sync.token = token_of(given) or config.sync.token
    if config.sync.token == nil and not config.sync.user then config.sync.token = os.getenv("SYNCLINE_TOKEN") end
    if not config.path then common.misuse("no realm file: --path, or 'path' in the configuration") end
    if not config.sync.url and not config.sync.user then common.misuse("no server: --url, or 'sync.url' in the configuration") end
    if config.sync.partition == nil then common.misuse("no partition: --partition, or 'sync.partition'") end
    return config
end

local function text_of(problem)
    local advice = problem.advice
    return advice and advice ~= "" and ("%s; %s"):format(problem.message, advice) or problem.message
end

local function load_script(script)
    if type(script) == "function" or script == nil then return script end
    local chunk, message = loadfile(script)
    if not chunk then common.fail("%s", message) end
    return chunk
end

local function print_change(class, what, list)
    for _, item in ipairs(list) do
        local key = type(item) == "table" and item.key or item
        local properties = type(item) == "table" and item.properties and #item.properties > 0
            and " " .. table.concat(item.properties, " ") or ""
        print(("%s %s(%s)%s"):format(what, class, tostring(key), properties))
    end
    io.stdout:flush()
end

local function watch(realm)
    realm:observe(function(_, changes)
        local names = {}
        for class in pairs(changes) do names[#names + 1] = class end
        table.sort(names)
        for _, class in ipairs(names) do
            print_change(class, "inserted", changes[class].inserted)
            print_change(class, "modified", changes[class].modified)
            print_change(class, "deleted", changes[class].deleted)
        end
    end)
end

-- How far an opening is, on a terminal line of its own; at most once for each per cent.
local function show_progress()
    local shown = -1
    return function(done, total)
        local share = total > 0 and math.floor(done / total * 100) or 100
        if share == shown then return end
        shown = share
        io.stderr:write(("%3d %%  %d of %d bytes\n"):format(share, done, total))
    end
end

local function open_realm(config, timeout)
    local options = { path = config.path, schema = config.schema, sync = config.sync, fast_commits = config.fast_commits }
    if not config.async_open then return syncline.open(options) end
    options.timeout, options.on_progress, options.keep_trying = timeout, show_progress(), config.keep_trying
    return syncline.open_async(options)
end

return {
    name = "client",
    usage = "client [--config FILE.lua] [OPTIONS]",
    about = "Synchronises a realm file with a server: once, or for as long as it is told to watch.",
    options = {
        { name = "config", value = "FILE", help = "Lua file that returns a table of options (doc/client.md)" },
        { name = "path", value = "REALM", help = "the realm file" },
        { name = "url", value = "URL", help = "the server, wss://host:port" },
        { name = "app", value = "ID", help = "id of the app (default: default)" },
        { name = "partition", value = "EJSON", help = partitions.HELP },
        { name = "token-file", value = "FILE", help = "file with the access token ('syncline token' makes one), '-': standard input" },
        { name = "token", value = "TOKEN", help = "the token itself, which every user of the machine can see then" },
        { name = "ca-file", value = "FILE", help = "certificates to trust (PEM)" },
        { name = "schema", value = "FILE", help = "Lua file that returns a list of classes" },
        { name = "script", value = "FILE", help = "Lua file to run after the first download, with the realm as argument" },
        { name = "async-open", help = "a new file receives the present content as a whole instead of its history; shows how far it is" },
        { name = "keep-trying", help = "wait for a server that cannot be reached, instead of giving up at once" },
        { name = "reseed", help = "give a server that has lost its data the content of the file back" },
        { name = "watch", help = "go on, and print what changes, until SIGTERM or SIGINT" },
    },
    more = "Without --token and --token-file the token is taken from the environment: SYNCLINE_TOKEN.",
    run = function(given)
        if given[1] then common.misuse("'%s': client takes options only", given[1]) end
        local config = read_config(given)
        local script = load_script(config.script)
        local failure
        config.sync.on_error = config.sync.on_error or function(problem) failure = failure or problem end
        local discarded
        config.sync.on_discard = config.sync.on_discard or function(problem) discarded = problem.message end
        config.sync.client_reset = config.sync.client_reset or "recover"
        local timeout = config.timeout or 60
        local ok, realm, message = pcall(open_realm, config, timeout)
        if not ok then common.fail("%s", tostring(realm)) end
        if not realm then common.fail("%s", failure and text_of(failure) or message) end
        local session = realm:sync_session()
        local function expect(done, why)
            if done then return end
            realm:close()
            common.fail("%s", failure and text_of(failure) or why)
        end
        local patience = { keep_trying = config.keep_trying }
        expect(session:wait_for_download(timeout, patience))
        if config.watch then watch(realm) end
        if script then
            local fine, problem = pcall(script, realm)
            if not fine then
                realm:close()
                common.fail("%s", tostring(problem))
            end
        end
        if not realm:is_closed() then
            expect(session:wait_for_upload(timeout, patience))
            if config.watch then
                for _, name in ipairs({ "term", "int" }) do syncline.loop.get():on_signal(name, syncline.stop) end
                io.stderr:write("watching; stop with Ctrl-C\n")
                syncline.run()
            end
            realm:close()
        end
        if discarded then common.fail("%s", discarded) end
        return 0
    end,
}
