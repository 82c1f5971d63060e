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
