-- A configuration to start from: syncline client --config examples/client.lua (doc/client.md has every
-- option). The token comes from: export SYNCLINE_TOKEN=$(syncline token --app tasks)

return {
    path = "tasks-copy.realm",
    sync = {
        url = os.getenv("SYNCLINE_URL") or "wss://localhost:9090",
        app_id = "tasks",
        partition = "shared",
        token = os.getenv("SYNCLINE_TOKEN"),
        ca_file = os.getenv("SYNCLINE_CA") or "syncline-data/tls/cert.pem",
    },
    script = function(realm)
        if not realm.classes.Task then return print("nobody has made a task yet") end
        for task in realm:objects("Task"):each() do print(task.done and "done" or "open", task.title) end
    end,
}
