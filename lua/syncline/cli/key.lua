-- syncline key: the keys that a server signs its tokens with.

local common = require("syncline.cli.common")
local disk = require("syncline.disk")
local keyring = require("syncline.server.keyring")
local operator = require("syncline.cli.operator")

local function show(keys)
    for i, key in ipairs(keys) do
        print(("%-14s %s"):format(key.id, i == 1 and "signs" or os.date("!accepted until %Y-%m-%d %H:%M:%SZ", key["until"])))
    end
end

local actions = {}

function actions.list(given)
    operator.words(given, 0, "nothing more")
    return operator.with(given, function(target)
        operator.print(given, operator.must(target:keys()), show)
    end)
end

function actions.rotate(given)
    operator.words(given, 0, "nothing more")
    return operator.with(given, function(target)
        operator.print(given, operator.must(target:rotate_keys({ now = given.now })), show)
    end)
end

-- For a storage folder whose key was lost, so that nothing can be opened.
function actions.new(given)
    operator.words(given, 0, "nothing more")
    local storage = operator.storage(given)
    if not disk.exists(storage .. "/users") then
        common.fail("there is no '%s/users': is '%s' the storage folder of a server?", storage, storage)
    end
    if disk.exists(storage .. "/keys/signing.key") then
        common.fail("there is a key in '%s/keys'; 'syncline key rotate' changes it", storage)
    end
    local ok, message = keyring.replace(storage)
    if not ok then common.fail("%s", message) end
    return 0
end

return {
    name = "key",
    usage = "key list | key rotate [--now] | key new",
    about = "Shows and changes the key that a server signs its tokens with. A running server uses the new one at once.",
    options = operator.options({
        { name = "now", help = "rotate: accept nothing that was signed before; everybody has to log in again" },
    }),
    more = "After 'rotate' tokens of the key before are accepted until the last refresh token has expired (refresh_token_lifetime), so\n"
        .. "nobody is logged out. Use --now when a key has become known. 'new' makes a key where it was lost.",
    run = function(given) return operator.dispatch("key", actions, given) end,
}
