-- syncline token: an access token, signed with the key in the storage folder of a server.

local auth = require("syncline.auth")
local common = require("syncline.cli.common")
local config = require("syncline.server.config")
local duration = require("syncline.duration")
local operator = require("syncline.cli.operator")
local Server = require("syncline.server")

local function seconds(text)
    local number = duration.seconds(text)
    if not number then common.misuse("--lifetime: a number of seconds, or like 15m, 12h, 30d; got '%s'", text) end
    return number
end

return {
    name = "token",
    usage = "token [--config FILE.lua | --storage DIR] [OPTIONS]",
    about = "Prints an access token for a client of a server whose storage folder is at hand.",
    options = {
        { name = "config", value = "FILE", help = "configuration of the server" },
        { name = "storage", value = "DIR", help = "its storage folder (default syncline-data)" },
        { name = "app", value = "ID", help = "id of the app (default: default)" },
        { name = "user", value = "ID", help = "id of the user (default: a new one)" },
        { name = "lifetime", value = "TIME", help = "seconds, or like 15m, 12h, 30d (default 1h)" },
    },
    run = function(given)
        if given[1] then common.misuse("'%s': token takes options only", given[1]) end
        local lifetime = seconds(given.lifetime or "1h")
        local server = given.config and common.load_config(given.config) or {}
        if given.storage then server.storage = given.storage end
        local ok, checked = pcall(config.check, server)
        if not ok then common.fail("%s", checked) end
        operator.existing(checked.storage)
        local keys, message = config.keys(checked, false)
        if not keys then common.fail("%s", message) end
        print(Server.mint(keys.signing, given.app or "default", given.user or auth.hex(auth.random(12)), lifetime))
        return 0
    end,
}
