-- The file in which an app remembers its users, so that a program that starts again is the same user, also
-- without a network. It holds tokens, so only its owner may read it.

local core = require("syncline.core")
local disk = require("syncline.disk")

local json = core.json

local user_store = {}

---Where the users of an app are kept unless the program says otherwise: one file per app and server in
---`$XDG_STATE_HOME/syncline/users`, which is `~/.local/state/syncline/users` for most. nil without a home.
---@param id string
---@param base_url string
---@return string|nil path
function user_store.default_path(id, base_url)
    local state = os.getenv("XDG_STATE_HOME")
    if not state or state:sub(1, 1) ~= "/" then
        local home = os.getenv("HOME")
        if not home or home:sub(1, 1) ~= "/" then return nil end
        state = home .. "/.local/state"
    end
    local name = (id .. "@" .. base_url:gsub("^%w+://", "")):gsub("[^%w@._-]", "_")
    return ("%s/syncline/users/%s.json"):format(state, name)
end

---What the file holds: `users` by id, `current`, `host`, `ws_host`. Empty if it is not there.
---@param path string|nil
---@return table|nil stored
---@return string|nil message
function user_store.read(path)
    if not path or not disk.exists(path) then return { users = {} } end
    local text, message = disk.read(path)
    if not text then return nil, message end
    local ok, stored = pcall(json.decode, text)
    if not ok or type(stored) ~= "table" or type(stored.users) ~= "table" then
        return nil, ("'%s' holds no users; remove it to log in again"):format(path)
    end
    return stored
end

---Changes the file: `change(stored)` gets what it holds now, which another program may have written.
---@param path string
---@param change fun(stored: table)
---@return boolean|nil ok
---@return string|nil message
function user_store.update(path, change)
    local stored = user_store.read(path) or { users = {} }
    change(stored)
    local folder = path:match("^(.*)/[^/]*$")
    if folder and folder ~= "" then
        local ok, message = disk.make_folder(folder)
        if not ok then return nil, message end
    end
    return disk.write_private(path, json.encode(stored))
end

return user_store
