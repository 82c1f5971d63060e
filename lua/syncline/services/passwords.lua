--- Hashing of passwords: costly on purpose, so it is done where it holds nobody up.
local auth = require("syncline.auth")

local passwords = {}
passwords.__index = passwords

---@class syncline.services.Passwords
---@field cost table? of scrypt

---@param options { cost: table? }
---@return syncline.services.Passwords
function passwords.new(options)
    return setmetatable({ cost = options.cost }, passwords)
end

---@param password string
---@return string hash
function passwords:hash(password)
    return auth.hash_password(password, self.cost)
end

-- An account that is unknown, or has no password, costs the same: the password is compared with a hash that
-- no password opens.
local function record(self, hash)
    if hash and hash ~= "" then
        return hash
    end
    self.nobody = self.nobody or auth.hash_password(auth.random(16), self.cost)
    return self.nobody
end

---Whether a password is right; the time does not tell whether there was a hash.
---@param password string
---@param hash string?
---@return boolean
function passwords:check(password, hash)
    local good = auth.check_password(password, record(self, hash))
    return good and hash ~= nil and hash ~= ""
end

---@param hash string
---@return boolean
function passwords:is_old(hash)
    return auth.password_needs_rehash(hash, self.cost)
end

return passwords
