--- The keys that tokens of somebody else's issuer are checked with (protocol/5-app-services-http.md,
--- 16): given in the configuration, read from files, or fetched from a URL and kept fresh.
local auth = require("syncline.auth")
local core = require("syncline.core")
local disk = require("syncline.disk")

local key_source = {}
key_source.__index = key_source

local MAX_KEYS, MAX_SET, TIMEOUT = 16, 256 * 1024, 5
local SHORTEST, LONGEST, PAUSE = 5 * 60, 24 * 3600, 60

---@class syncline.services.KeySource
---@field keys userdata[]

-- Hosts that only this machine or its neighbours can reach, written as an address: told at the start already.
local PRIVATE = {
    "^localhost$", "^127%.", "^10%.", "^192%.168%.", "^169%.254%.", "^0%.", "^172%.1[6-9]%.", "^172%.2%d%.", "^172%.3[01]%.",
    "^%[::", "^%[f[cd]", "^%[fe[89ab]", "%.localhost$",
}

local function is_private(url)
    local host = url:match("^https://([^/:]*)") or ""
    if host:sub(1, 1) == "[" then
        host = url:match("^https://(%b[])") or host
    end
    for _, pattern in ipairs(PRIVATE) do
        if host:lower():match(pattern) then
            return true
        end
    end
    return false
end

local function read_key(spec)
    if type(spec) ~= "table" then
        return spec
    end
    local given = { alg = spec.alg, kid = spec.kid, secret = spec.secret, pem = spec.pem, jwk = spec.jwk }
    if spec.pem_file then
        local text, message = disk.read(spec.pem_file)
        if not text then
            return nil, message
        end
        given.pem = text
    end
    return auth.key(given)
end

local function read_set(text, where)
    if #text > MAX_SET then
        return nil, ("%s: more than %d bytes"):format(where, MAX_SET)
    end
    local keys, message = auth.jwks(text)
    if not keys then
        return nil, ("%s: %s"):format(where, message)
    end
    if #keys == 0 then
        return nil, where .. ": no usable key in it"
    end
    if #keys > MAX_KEYS then
        return nil, ("%s: more than %d keys"):format(where, MAX_KEYS)
    end
    return keys
end

local function append(list, more)
    for _, key in ipairs(more) do
        list[#list + 1] = key
    end
end

local function read_local(settings)
    local keys = {}
    for number, spec in ipairs(settings.keys or {}) do
        local ok, key, message = pcall(read_key, spec)
        if not ok or not key then
            return nil, ("keys[%d]: %s"):format(number, tostring(ok and message or key))
        end
        keys[#keys + 1] = key
    end
    if settings.jwks_file then
        local text, message = disk.read(settings.jwks_file)
        if not text then
            return nil, message
        end
        local set
        set, message = read_set(text, settings.jwks_file)
        if not set then
            return nil, message
        end
        append(keys, set)
    end
    return keys
end

---Reads what the settings of the provider name: `keys`, `jwks_file`, `jwks_url`; begins to fetch the
---URL if there is one.
---@param settings table
---@param options { clock: (fun(): integer), tick: (fun(): number)?, log: function, fetch: function?, id: string }
---@return syncline.services.KeySource?
---@return string? message
function key_source.open(settings, options)
    local url = settings.jwks_url
    if url ~= nil then
        if type(url) ~= "string" or not url:match("^https://[^/]") then
            return nil, "jwks_url: an https URL expected"
        end
        if is_private(url) and not settings.allow_private then
            return nil, ("jwks_url: '%s' is a private address (allow_private = true admits it)"):format(url)
        end
    end
    local fixed, message = read_local(settings)
    if not fixed then
        return nil, message
    end
    if not url and #fixed == 0 then
        return nil, "keys, jwks_file or jwks_url expected"
    end
    local self = setmetatable({
        settings = settings,
        url = url,
        fixed = fixed,
        keys = fixed,
        clock = options.tick or options.clock,
        log = options.log,
        fetch = options.fetch,
        app = options.id,
        expires = 0,
    }, key_source)
    self:refresh()
    return self
end

-- Seconds that an answer may be kept.
local function lifetime(headers)
    local control = headers["cache-control"]
    local age = type(control) == "string" and tonumber(control:match("max%-age=(%d+)")) or SHORTEST
    return math.max(SHORTEST, math.min(LONGEST, age))
end

-- The last good set stays when an answer is of no use.
local function take(self, answer, message)
    self.call, self.busy = nil, nil
    local keys
    if answer and answer.status == 200 then
        keys, message = read_set(answer.body, self.url)
    elseif answer then
        message = ("%s answered with status %d"):format(self.url, answer.status)
    end
    if not keys then
        self.log("error", "keys of an issuer cannot be fetched", { app = self.app, url = self.url, reason = message })
        return
    end
    self.keys = {}
    append(self.keys, self.fixed)
    -- What lies open behind a URL is no secret that anybody could prove something with.
    for _, key in ipairs(keys) do
        if key:alg() ~= "HS256" then
            self.keys[#self.keys + 1] = key
        end
    end
    self.expires = self.clock() + lifetime(answer.headers)
    self.log("info", "fetched keys of an issuer", { app = self.app, url = self.url, keys = #keys })
end

---Begins to fetch the URL, at most once a minute; the answer is used when it comes.
function key_source:refresh()
    local now = self.clock()
    if not self.url or not self.fetch or self.busy or self.tried and now - self.tried < PAUSE then
        return
    end
    self.tried, self.busy = now, true
    local settings = self.settings
    local call, message = self.fetch({
        url = self.url,
        timeout = TIMEOUT,
        -- A name may lead to a private address, too; the socket looks at what it connects to.
        public_only = not settings.allow_private,
        max_body = MAX_SET,
        headers = { Accept = "application/json" },
        tls = { ca = settings.ca_file, min = settings.tls_min or "1.2" },
        on_done = function(answer, why)
            take(self, answer, why)
        end,
    })
    if not call then
        take(self, nil, message)
    elseif self.busy then
        self.call = call
    end
end

local function names(keys, kid)
    for _, key in ipairs(keys) do
        if key:kid() == kid then
            return true
        end
    end
    return false
end

-- The key id a token names, unverified: it only decides whether to look for news.
local function kid_of(token)
    local head = auth.base64_decode(token:match("^([^.]*)%.") or "")
    local fields = head and core.json.decode(head)
    return type(fields) == "table" and type(fields.kid) == "string" and fields.kid or nil
end

---The keys to check a token with. A token that names an unknown key, or a set that is too old, makes
---it fetch the URL again behind the caller's back.
---@param token string
---@return userdata[]
function key_source:for_token(token)
    if self.url then
        local kid = kid_of(token)
        if self.clock() >= self.expires or kid and not names(self.keys, kid) then
            self:refresh()
        end
    end
    return self.keys
end

---Gives up what is under way.
function key_source:close()
    if self.call and self.call.cancel then
        self.call:cancel()
    end
    self.call, self.busy, self.fetch = nil, nil, nil
end

return key_source
