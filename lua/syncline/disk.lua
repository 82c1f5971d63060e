-- The few things with files and folders that plain Lua cannot do or makes hard.

local core = require("syncline.core")

local disk = {}

local function quote(text)
    return "'" .. text:gsub("'", "'\\''") .. "'"
end

---Whether something is there, also if it cannot be read: what cannot be seen is not taken for missing.
---@param path string
---@return boolean
function disk.exists(path)
    local size, message = core.disk.look(path)
    return size ~= nil or message ~= nil
end

---Makes a folder with everything above it, closed to other users; true if it is there afterwards.
---@param path string
---@return boolean|nil ok, string|nil message
function disk.make_folder(path)
    local present = io.open(path .. "/.", "rb")
    if present then
        present:close()
        return true
    end
    local ok = os.execute("umask 077 && mkdir -p -- " .. quote(path) .. " 2>/dev/null")
    if ok ~= true and ok ~= 0 then return nil, ("the folder '%s' cannot be made"):format(path) end
    return true
end

---@param path string
---@return string|nil text, string|nil message
function disk.read(path)
    local file, message = io.open(path, "rb")
    if not file then return nil, message end
    local text = file:read("*a")
    file:close()
    if not text then return nil, ("'%s' cannot be read"):format(path) end
    return text
end

---Names of what lies in a folder; none if it is not there.
---@param path string
---@return string[]
function disk.list(path)
    local names, pipe = {}, io.popen("ls -1A -- " .. quote(path) .. " 2>/dev/null")
    if not pipe then return names end
    for name in pipe:lines() do names[#names + 1] = name end
    pipe:close()
    return names
end

---Writes a file that only its owner may read, all or nothing; it is on disk when this returns.
---@param path string
---@param text string
---@return boolean|nil ok, string|nil message
function disk.write_private(path, text)
    return core.disk.write_private(path, text)
end

---Opens a file to be written, which only its owner may read if it is new.
---@param path string
---@param mode string `"wb"` or `"ab"`
---@return file*|nil file, string|nil message
function disk.open_private(path, mode)
    local ok, message = core.disk.make_private(path)
    if not ok then return nil, message end
    return io.open(path, mode)
end

---@param path string
---@param text string
---@return boolean|nil ok, string|nil message
function disk.append(path, text)
    local file, message = disk.open_private(path, "ab")
    if not file then return nil, message end
    local written, reason = file:write(text)
    file:close()
    if not written then return nil, reason end
    return true
end

return disk
