--- Tokens, keys, password hashes and digests.
local core = require("syncline.core")
local json = core.json

local auth = {
    ---A key bound to one algorithm: `{alg=, kid=, secret=}` (HS256), `{alg=, kid=, pem=}` or `{jwk=}`.
    key = core.auth.key,
    ---The usable keys of a JSON Web Key Set (text).
    jwks = core.auth.jwks,
    ---scrypt with the parameters stored in the result: `hash_password(password[, {log_n=, r=, p=}])`.
    hash_password = core.auth.hash_password,
    check_password = core.auth.check_password,
    password_needs_rehash = core.auth.password_needs_rehash,
    ---Bytes from a cryptographically secure source.
    random = core.auth.random,
    sha256 = core.auth.sha256,
    ---Compares secrets in constant time.
    equal = core.auth.equal,
    base64_encode = core.auth.base64_encode,
    base64_decode = core.auth.base64_decode,
}

---Gets what `auth.hash_password` or `auth.check_password` returns: hash or match, or nil, message, code.
---@alias syncline.auth.Done fun(result: string|boolean|nil, message: string?, code: string|number|nil)
---@alias syncline.auth.Cost { log_n: integer?, r: integer?, p: integer? }

---Threads that hash and check passwords while the loop goes on; `done` is called inside a step of the loop. Both functions
---return true, or nil, message, "busy" when the queue is full: then `done` is never called.
---@class syncline.auth.Workers
---@field hash_password fun(self, password: string, cost: syncline.auth.Cost?, done: syncline.auth.Done): true?, string?, string?
---@field check_password fun(self, password: string, hash: string, done: syncline.auth.Done): true?, string?, string?
---@field waiting fun(self): integer jobs that wait for a thread
---@field close fun(self) waits for what runs (0.3 s with the default cost), forgets what waits: nobody is called any more

---Starts no thread before there is work. Closed with the loop at the latest.
---@param loop userdata of `require("syncline.loop").get()`
---@param options { threads: integer?, queue: integer? }|nil `threads` 1 to 64 (default 2), each needs the memory of one
---hash (32 MiB with the default cost) while it works; `queue`: jobs that may wait, 1 to 100,000 (default 64)
---@return syncline.auth.Workers
function auth.workers(loop, options)
    return assert(loop:workers(options))
end

---A signed token.
---@param claims table
---@param key userdata of auth.key
---@return string? token
---@return string? message
---@return string? code
function auth.sign(claims, key)
    return core.auth.sign(json.encode(claims), key)
end

---Verifies signature, algorithm, expiry, audience and issuer of a token.
---@param token string
---@param keys userdata[]
---@param expect { now: integer, leeway: integer?, audience: string|string[]|nil, issuer: string? }
---@return table? claims
---@return string? message
---@return string? code
function auth.verify(token, keys, expect)
    local claims, message, code = core.auth.verify(token, keys, expect)
    if not claims then
        return nil, message, code
    end
    return json.decode(claims)
end

---The claims of a token without any check: never a basis for trust.
---@param token string
---@return table? claims
---@return string? message
---@return string? code
function auth.decode(token)
    local claims, message, code = core.auth.decode(token)
    if not claims then
        return nil, message, code
    end
    return json.decode(claims)
end

---Bytes as hexadecimal digits.
---@param bytes string
---@return string
function auth.hex(bytes)
    return (bytes:gsub(".", function(c)
        return ("%02x"):format(c:byte())
    end))
end

return auth
