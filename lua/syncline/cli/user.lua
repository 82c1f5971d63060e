-- syncline user: users of an app.

local common = require("syncline.cli.common")
local operator = require("syncline.cli.operator")

local function line(user)
    local names = {}
    for i, identity in ipairs(user.identities) do names[i] = identity.provider end
    print(("%s  %s  %-8s  %-10s  %s"):format(user.id, os.date("!%Y-%m-%d", user.created),
        user.disabled and "disabled" or "enabled", table.concat(names, ","), user.email or ""))
end

local actions = {}

function actions.create(given)
    operator.words(given, 0, "nothing more")
    local app = operator.need(given, "app")
    local facts = {
        email = given.email, subject = given.subject, id = given.id,
        password = given.password_file and common.read_secret("password-file", given.password_file) or nil,
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

local KEPT = { ["oauth2-google"] = "google", ["oauth2-apple"] = "apple", ["oauth2-facebook"] = "facebook" }

-- What can be kept of a user as Atlas describes it: the id, and the identities that are ways to log in here or may
-- become one. `address`: whoever has an address may set a password.
local function facts_of(user, address)
    local data = type(user.data) == "table" and user.data or {}
    local facts = { id = text_of(user._id) or text_of(user.id), data = data, identities = {}, disabled = user.disabled == true,
        custom_data = type(user.custom_data) == "table" and user.custom_data or nil }
    for _, identity in ipairs(type(user.identities) == "table" and user.identities or {}) do
        local provider, id = identity.provider_type, text_of(identity.id)
        if provider == "local-userpass" then
            facts.email = text_of(data.email)
        elseif provider == "custom-token" then
            facts.subject = id
        elseif KEPT[provider] and id then
            table.insert(facts.identities, { provider = KEPT[provider], id = id })
        end
    end
    if address then facts.email = facts.email or text_of(data.email) end
    return (facts.email or facts.subject or facts.identities[1]) and facts or nil, facts.id
end

-- Whether a user who was just made can log in, as far as its kinds of identities tell.
local function can_log_in(facts)
    return facts.email ~= nil or facts.subject ~= nil
end

function actions.import(given)
    local app, path = operator.need(given, "app"), operator.words(given, 1, "a file, or '-'")
    local users = read_users(path)
    return operator.with(given, function(target)
        local made, left, kept = 0, 0, 0
        for i, user in ipairs(users) do
            local facts, id = facts_of(user, given.by_address)
            local made_user, message = nil, "neither an address nor an identity that can be kept"
            if facts then made_user, message = target:create_user(app, facts) end
            if made_user then
                made, kept = made + 1, kept + (can_log_in(facts) and 0 or 1)
            else
                left = left + 1
                io.stderr:write(("user %d (%s): %s\n"):format(i, id or "?", message))
            end
        end
        io.stderr:write(("%d users made, %d left out\n"):format(made, left))
        if kept > 0 then
            io.stderr:write(("%d of them only have identities of Google, Apple or Facebook, with which nobody can log in here yet "
                .. "(see doc/migrate-from-atlas.md)\n"):format(kept))
        end
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

function actions.erase(given)
    local app, id = operator.need(given, "app"), operator.words(given, 1, "the id of the user")
    return operator.with(given, function(target)
        if not given.yes then
            local found = operator.must(target:belongings(app, id))
            if found.user then line(found.user) end
            operator.show_realms(found.realms)
            common.misuse("this would erase %s and %d realms for good; nothing was erased; say it with --yes",
                found.user and "the user" or "no account (there is none)", #found.realms)
        end
        operator.print(given, operator.must(target:erase_user(app, id)), function(removed)
            print(("%s, %d realms erased"):format(removed.account and "1 account" or "no account", removed.realms))
        end)
    end)
end

return {
    name = "user",
    usage = "user create|list|show|import|link|disable|enable|delete|erase --app ID [USER|FILE] [OPTIONS]",
    about = "Makes, shows, disables, deletes and erases users of an app. What a user has open ends when it is disabled or deleted.",
    options = operator.options({
        { name = "app", value = "ID", help = "id of the app" },
        { name = "email", value = "ADDRESS", help = "create: a user who logs in with email and password; link: whose" },
        { name = "purpose", value = "PURPOSE", help = "link: reset (default) or confirm" },
        { name = "password-file", value = "FILE", help = "create: file with the password, '-': standard input" },
        { name = "subject", value = "TEXT", help = "create: a user whom tokens of an issuer name by this" },
        { name = "id", value = "ID", help = "create: keep this id (24 hexadecimal digits) instead of a new one" },
        { name = "by-address", help = "import: whoever has an address may set a password, whatever they logged in with before" },
        { name = "yes", help = "erase: really; without it, only what would be erased is shown" },
        { name = "custom-data", value = "JSON", help = "create: facts for rules and tokens, or @FILE" },
    }),
    more = "'delete' removes the account and leaves all realms. 'erase' also removes the realms that belong to the user alone: those\n"
        .. "whose partition is the id of the user, or has it as a word of its own in it (user=ID) and no other user's.\n"
        .. "Without --password-file nobody knows the password: the user sets one by a reset mail, or by the link that 'link' prints,\n"
        .. "for whoever sends it by hand. A link works once, for half an hour, and makes older ones void.\n"
        .. "'import' reads users as Atlas App Services describes them (a JSON array, or one per line) and keeps their ids.",
    run = function(given) return operator.dispatch("user", actions, given) end,
}
