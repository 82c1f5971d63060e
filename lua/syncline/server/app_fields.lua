-- What the definition of an app in the configuration of a server may hold.

local check = require("syncline.check")

local APP = {
    anonymous = "boolean|table", email = "boolean|table", api_key = "boolean|table", jwt = "boolean|table",
    ["function"] = "boolean|table|function", permissions = "table|function", schema = "string", functions = "table", origins = "table",
    max_sessions_per_user = "number",
    access_token_lifetime = "number", refresh_token_lifetime = "number", mail = "function", scrypt = "table",
}

local EMAIL = {
    confirm = "string", confirm_function = "function", reset_function = "function", min_password = "number",
    confirm_url = "string", reset_url = "string", discreet = "boolean", ticket_lifetime = "number",
}

local JWT = {
    keys = "table", jwks_file = "string", jwks_url = "string", audience = "string|table", issuer = "string",
    metadata = "table", identity = "string", ca_file = "string", tls_min = "string", allow_private = "boolean",
}

local API_KEY = { max_keys = "number" }

local app_fields = {}

---Raises an error that names the app and the field for anything that no app has.
---@param apps table<string, table>
function app_fields.check(apps)
    for id, definition in pairs(apps) do
        local what = ("server: apps.%s"):format(tostring(id))
        check.options(what, definition, APP)
        for name, fields in pairs({ email = EMAIL, jwt = JWT, api_key = API_KEY }) do
            local settings = definition[name]
            if type(settings) == "table" then check.options(("%s.%s"):format(what, name), settings, fields) end
        end
    end
end

return app_fields
