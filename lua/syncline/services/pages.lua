--- The pages behind the links in confirmation and reset mails, for apps that have none of their own. They work
--- without scripts. Opening a link changes nothing (mail scanners do that as well), only the button does.
local addresses = require("syncline.services.addresses")
local http = require("syncline.services.http")
local json = require("syncline.core").json
local task = require("syncline.services.task")
local userpass = require("syncline.services.userpass")

local pages = {}

local FRAME = [[<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>%s</title><style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 24em; margin: 4em auto; padding: 0 1em; color: #222; background: #fff }
h1 { font-size: 1.3em } label, input, button { display: block; width: 100%%; box-sizing: border-box; font: inherit }
input { padding: .5em; margin: .3em 0 1em; border: 1px solid #888; border-radius: 4px }
button { padding: .6em; border: 0; border-radius: 4px; color: #fff; background: #1a5fb4 } .wrong { color: #a51d2d }
</style></head><body><h1>%s</h1>
%s</body></html>
]]

local TITLES = { reset = "Set a new password", confirm = "Confirm your address" }
local DONE = {
    reset = "Your password is set. You can log in with it now.",
    confirm = "Your address is confirmed. You can log in now.",
}
local EXPIRED = "This link has been used already, or it is too old. Please ask for a new one in the app."

local FIELDS = {
    reset = [[<label>New password<input type="password" name="password" autocomplete="new-password" required autofocus></label>
<label>Once more<input type="password" name="again" autocomplete="new-password" required></label>
<button>Set the password</button>
]],
    confirm = "<button>Confirm</button>\n",
}

local function escape(text)
    return (text:gsub("[&<>\"']", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ["\""] = "&quot;", ["'"] = "&#39;" }))
end

local function page(status, purpose, content)
    return {
        status = status,
        headers = {
            ["Content-Type"] = "text/html; charset=utf-8",
            -- The address of the page is a secret: it goes nowhere, and no other page may show this one.
            ["Referrer-Policy"] = "no-referrer",
            ["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
                .. "frame-ancestors 'none'; base-uri 'none'",
        },
        body = FRAME:format(TITLES[purpose], TITLES[purpose], content),
    }
end

local function message(purpose, status, text)
    return page(status, purpose, ("<p%s>%s</p>\n"):format(status >= 400 and ' class="wrong"' or "", escape(text)))
end

local function form(purpose, status, ticket, wrong)
    return page(status, purpose, ('%s<form method="post">\n<input type="hidden" name="token" value="%s">'
        .. '<input type="hidden" name="tokenId" value="%s">\n%s</form>\n'):format(
        wrong and ('<p class="wrong">%s</p>\n'):format(escape(wrong)) or "", ticket.token, ticket.tokenId, FIELDS[purpose]))
end

-- Token and its id as a link or form gave them; nil if they can be none.
local function ticket_of(values)
    local token, id = values.token, values.tokenId
    return token and token:match("^%x+$") and id and id:match("^%x+$") and { token = token, tokenId = id } or nil
end

---GET: the form.
---@param app syncline.services.App
---@param purpose string "reset" or "confirm"
---@param request syncline.services.Request
---@return syncline.services.Response
function pages.show(app, purpose, request)
    userpass.require_provider(app)
    local ticket = ticket_of(request.query)
    if not ticket then
        return message(purpose, 400, "This link is not complete. Please open it as it stands in the mail.")
    end
    return form(purpose, 200, ticket)
end

---POST: what the form sends; does the same as the call that SDKs make.
---@param app syncline.services.App
---@param purpose string
---@param request syncline.services.Request
---@return syncline.services.Response
function pages.submit(app, purpose, request)
    userpass.require_provider(app)
    local values = http.form(request.body)
    local ticket = ticket_of(values)
    if not ticket then
        return message(purpose, 400, EXPIRED)
    end
    if purpose == "reset" and values.password ~= values.again then
        return form(purpose, 400, ticket, "These are two different passwords.")
    end
    local body = { token = ticket.token, tokenId = ticket.tokenId, password = values.password }
    local answer = task.wait(function(resume)
        http.run(function(reason)
            app.log("error", "a page failed", { app = app.id, page = purpose, reason = reason })
        end, resume, userpass.handle, app, purpose, body, addresses.place(request.peer))
    end)
    if answer.status < 300 then
        return message(purpose, 200, DONE[purpose])
    end
    local problem = json.decode(answer.body)
    if answer.status == 400 and problem.error_code == "BadRequest" then
        return form(purpose, 400, ticket, problem.error)
    end
    return message(purpose, answer.status, answer.status == 400 and EXPIRED or problem.error)
end

return pages
