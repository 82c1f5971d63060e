-- syncline user: users of an app.

local common = require("syncline.cli.common")
local operator = require("syncline.cli.operator")

local function line(user)
    local names = {}
    for i, identity in ipairs(user.identities) do names[i] = identity.provider end
    print(("%s  %s  %-8s  %-10s  %s"):format(user.id, os.date("!%Y-%m-%d", user.created),
        user.disabled and "disabled" or "enabled", table.concat(names, ","), user.email or ""))
end

-- The first line of a file, or of standard input.
local function read_password(path)
    local file, ours = common.open_file(path, "r")
    local text = file:read("*l")
    if ours then file:close() end
    text = text and text:gsub("\r$", "")
    if not text or text == "" then common.fail("--password-file: '%s' has no first line", path) end
    return text
end

local actions = {}

function actions.create(given)
    operator.words(given, 0, "nothing more")
    local app = operator.need(given, "app")
    local facts = {
        email = given.email, subject = given.subject, id = given.id,
        password = given.password_file and read_password(given.password_file) or nil,
        custom_data = given.custom_data and operator.json("custom-data", given.custom_data) or nil,
    }
    if (facts.email == nil) == (facts.subject == nil) then common.misuse("create: either --email or --subject") end
    return operator.with(given, function(target)
        operator.print(given, operator.must(target:create_user(app, facts)), line)
    end)
end

function actions.list(given)
    operator.words(given, 0, "nothing more")
    local app = operator.need(given, "app")
    return operator.with(given, function(target)
        operator.print(given, operator.must(target:users(app)), function(users)
            for _, user in ipairs(users) do line(user) end
        end)
    end)
end

function actions.link(given)
    operator.words(given, 0, "nothing more")
    local app, email = operator.need(given, "app"), operator.need(given, "email")
    return operator.with(given, function(target)
        local link = operator.must(target:create_link(app, { email = email, purpose = given.purpose }))
        operator.print(given, link, function() print(link.link) end)
    end)
end

-- Users of a file: one JSON array, or a JSON document per line.
local function read_users(path)
    local file, ours = common.open_file(path, "r")
    local text = file:read("*a")
    if ours then file:close() end
    if text:match("^%s*%[") then return operator.json("import", text) end
    local list = {}
    for each in text:gmatch("[^\n]+") do
        if each:find("%S") then list[#list + 1] = operator.json("import", each) end
    end
    return list
end

local function text_of(value)
    if type(value) == "table" then value = value["$oid"] end
    return type(value) == "string" and value or nil
end

-- What can be kept of a user as Atlas describes it: the id, and the first identity that has a way to log
-- in here.
local function facts_of(user)
    local data = type(user.data) == "table" and user.data or {}
    local facts = { id = text_of(user._id) or text_of(user.id),
        custom_data = type(user.custom_data) == "table" and user.custom_data or nil }
    for _, identity in ipairs(type(user.identities) == "table" and user.identities or {}) do
        if identity.provider_type == "local-userpass" then
            facts.email = text_of(data.email)
        elseif identity.provider_type == "custom-token" then
            facts.subject = text_of(identity.id)
        end
        if facts.email or facts.subject then return facts end
    end
    return nil
end

function actions.import(given)
    local app, path = operator.need(given, "app"), operator.words(given, 1, "a file, or '-'")
    local users = read_users(path)
    return operator.with(given, function(target)
        local made, left = 0, 0
        for i, user in ipairs(users) do
            local facts, made_user, message = facts_of(user), nil, "neither an email nor a token identity"
            if facts then made_user, message = target:create_user(app, facts) end
            if made_user then
                made = made + 1
                if user.disabled == true then operator.must(target:disable_user(app, made_user.id)) end
            else
                left = left + 1
                io.stderr:write(("user %d (%s): %s\n"):format(i, facts and facts.id or text_of(user._id) or "?", message))
            end
        end
        io.stderr:write(("%d users made, %d left out\n"):format(made, left))
        return made == 0 and left > 0 and 1 or 0
    end)
end

local function by_id(method)
    return function(given)
        local app, id = operator.need(given, "app"), operator.words(given, 1, "the id of the user")
        return operator.with(given, function(target)
            local user = operator.must(target[method](target, app, id))
            if user ~= true then operator.print(given, user, line) end
        end)
    end
end

actions.show = by_id("user")
actions.disable = by_id("disable_user")
actions.enable = by_id("enable_user")
actions.delete = by_id("delete_user")

return {
    name = "user",
    usage = "user create|list|show|import|link|disable|enable|delete --app ID [USER|FILE] [OPTIONS]",
    about = "Makes, shows, disables and deletes users of an app. What a user has open ends when it is disabled or deleted.",
    options = operator.options({
        { name = "app", value = "ID", help = "id of the app" },
        { name = "email", value = "ADDRESS", help = "create: a user who logs in with email and password; link: whose" },
        { name = "purpose", value = "PURPOSE", help = "link: reset (default) or confirm" },
        { name = "password-file", value = "FILE", help = "create: file with the password, '-': standard input" },
        { name = "subject", value = "TEXT", help = "create: a user whom tokens of an issuer name by this" },
        { name = "id", value = "ID", help = "create: keep this id (24 hexadecimal digits) instead of a new one" },
        { name = "custom-data", value = "JSON", help = "create: facts for rules and tokens, or @FILE" },
    }),
    more = "Without --password-file nobody knows the password: the user sets one by a reset mail, or by the link that 'link' prints,\n"
        .. "for whoever sends it by hand. A link works once, for half an hour, and makes older ones void.\n"
        .. "'import' reads users as Atlas App Services describes them (a JSON array, or one per line) and keeps their ids.",
    run = function(given) return operator.dispatch("user", actions, given) end,
}
