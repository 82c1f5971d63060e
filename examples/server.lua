-- A configuration to start from: syncline serve --config examples/server.lua (doc/serve.md has every option).

return {
    host = "127.0.0.1",
    port = 9090,
    storage = os.getenv("SYNCLINE_STORAGE") or "syncline-data",
    log = { format = "plain", level = "info" },
    apps = {
        tasks = {
            anonymous = true,
            email = true,
            permissions = {
                -- Everybody shares one list, and has one of their own that nobody else sees.
                { partition = "shared", access = "write" },
                { partition = "user=%user.id", access = "write" },
            },
        },
    },
}
