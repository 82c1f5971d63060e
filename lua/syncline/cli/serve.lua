-- syncline serve: runs a server until it is told to stop.

local common = require("syncline.cli.common")
local Server = require("syncline.server")

local function set_app(config, id)
    config.apps = config.apps or { [id] = { anonymous = true } }
end

return {
    name = "serve",
    usage = "serve [--config FILE.lua] [OPTIONS]",
    about = "Runs a sync server. Without a configuration: localhost, port 9090, TLS, one app (default), anonymous login.",
    options = {
        { name = "config", value = "FILE", help = "Lua file that returns a table of options (doc/serve.md)" },
        { name = "host", value = "ADDRESS", help = "address to listen on (default 127.0.0.1)" },
        { name = "port", value = "N", number = true, help = "port (default 9090; 0: any free one)" },
        { name = "storage", value = "DIR", help = "folder of realms, users, keys and certificate (default syncline-data)" },
        { name = "app", value = "ID", help = "id of the app, if there is no configuration (default: default)" },
        { name = "plain", help = "no TLS: only behind a proxy, or for a test" },
        { name = "tls-min", value = "VERSION", help = "1.3 (default) or 1.2" },
        { name = "log-format", value = "FORMAT", help = "plain (default) or json" },
        { name = "log-level", value = "LEVEL", help = "debug, info (default), notice, warning, error or off" },
        { name = "log-file", value = "FILE", help = "append the log to a file instead of standard error" },
    },
    more = "Stops cleanly on SIGTERM and SIGINT, reads its certificate again on SIGHUP. What was acknowledged to a client is on disk\n"
        .. "at any moment.",
    run = function(given)
        if given[1] then common.misuse("'%s': serve takes options only", given[1]) end
        local config = given.config and common.load_config(given.config) or {}
        for _, name in ipairs({ "host", "port", "storage" }) do
            if given[name] ~= nil then config[name] = given[name] end
        end
        if given.app then set_app(config, given.app) end
        if given.plain then config.tls = false end
        if given.tls_min then
            config.tls = config.tls or {}
            config.tls.min = given.tls_min
        end
        config.log = config.log or {}
        for option, name in pairs({ log_format = "format", log_level = "level", log_file = "file" }) do
            if given[option] then config.log[name] = given[option] end
        end
        local ok, server, message = pcall(Server.start, config)
        if not ok then common.fail("%s", tostring(server)) end
        if not server then common.fail("%s", message) end
        print(server:url())
        io.stdout:flush()
        server:run()
        return 0
    end,
}
