-- syncline app: makes apps and shows them.

local common = require("syncline.cli.common")
local core = require("syncline.core")
local operator = require("syncline.cli.operator")

local SWITCHES = { "anonymous", "email", "api_key" }

-- The definition that the options describe, on top of the one of --definition.
local function definition_of(given)
    local definition = given.definition and operator.json("definition", given.definition) or {}
    for _, name in ipairs(SWITCHES) do
        if given[name] then definition[name] = definition[name] or true end
    end
    if given.permissions then definition.permissions = operator.json("permissions", given.permissions) end
    if given.origin then definition.origins = core.json.array(given.origin) end
    if given.access_lifetime then definition.access_token_lifetime = given.access_lifetime end
    if given.refresh_lifetime then definition.refresh_token_lifetime = given.refresh_lifetime end
    return definition
end

local function show(app)
    print(("%-14s %s"):format("app", app.id))
    print(("%-14s %s"):format("defined in", app.source))
    print(("%-14s %s"):format("log in with", #app.providers > 0 and table.concat(app.providers, ", ") or "nothing"))
    print(("%-14s %d"):format("users", app.users))
    print(("%-14s %d s access, %d s refresh"):format("tokens live", app.access_token_lifetime, app.refresh_token_lifetime))
    if app.permissions == nil then
        print(("%-14s everybody may write everywhere"):format("permissions"))
    elseif app.permissions == "function" then
        print(("%-14s decided by a function of the configuration"):format("permissions"))
    else
        for i, rule in ipairs(app.permissions) do
            print(("%-14s %s"):format(i == 1 and "permissions" or "", core.json.encode(rule)))
        end
        if #app.permissions == 0 then print(("%-14s nobody may do anything"):format("permissions")) end
    end
    print(("%-14s %s"):format("schema", app.schema))
end

local actions = {}

function actions.create(given)
    local id = operator.words(given, 1, "the id of the app")
    local definition = definition_of(given)
    return operator.with(given, function(target)
        operator.print(given, operator.must(target:create_app(id, definition)), show)
    end, true)
end

function actions.list(given)
    operator.words(given, 0, "nothing more")
    return operator.with(given, function(target)
        operator.print(given, operator.must(target:apps()), function(apps)
            for _, app in ipairs(apps) do
                print(("%-24s %6d users  %s"):format(app.id, app.users, table.concat(app.providers, ", ")))
            end
        end)
    end)
end

function actions.show(given)
    local id = operator.words(given, 1, "the id of the app")
    return operator.with(given, function(target)
        operator.print(given, operator.must(target:app(id)), show)
    end)
end

return {
    name = "app",
    usage = "app create ID [OPTIONS] | app list | app show ID",
    about = "Makes apps and shows them. A running server has a new app at once.",
    options = operator.options({
        { name = "anonymous", help = "create: users may log in without credentials" },
        { name = "email", help = "create: users may log in with email and password" },
        { name = "api-key", help = "create: users may log in with API keys" },
        { name = "permissions", value = "JSON", help = "create: list of rules (doc/serve.md), or @FILE" },
        { name = "definition", value = "JSON", help = "create: all of an app's settings, or @FILE" },
        { name = "origin", value = "ORIGIN", many = true, help = "create: web page that may use it; may be repeated" },
        { name = "access-lifetime", value = "SECONDS", number = true, help = "create: life time of access tokens (1800)" },
        { name = "refresh-lifetime", value = "SECONDS", number = true, help = "create: and of refresh tokens (5184000)" },
    }),
    more = "Apps made here lie in apps/ID.json of the storage folder; an app of the configuration wins over one of the same id.",
    run = function(given)
        if given[1] ~= "create" then
            for _, name in ipairs({ "anonymous", "email", "api_key", "permissions", "definition", "origin" }) do
                if given[name] then common.misuse("--%s belongs to 'app create'", (name:gsub("_", "-"))) end
            end
        end
        return operator.dispatch("app", actions, given)
    end,
}
