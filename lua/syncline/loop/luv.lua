-- Runs a Syncline event loop inside luv's loop.
--
--     local uv = require("luv")
--     local attached = require("syncline.loop.luv").attach(require("syncline.loop").get(), uv)
--     uv.run()
--
-- Syncline keeps a private loop; all it shows is one descriptor and a deadline. This file watches both
-- and calls step() when one of them is due.

local adapter = {}

---@class syncline.loop.Attached
---@field stop fun(self: syncline.loop.Attached) takes the loop out again; may be repeated

---Lets luv's loop drive `loop`. While it is attached luv's loop has work and does not end by itself.
---@param loop userdata a loop of `syncline.core.net`, for example `require("syncline.loop").get()`
---@param uv table|nil the luv module
---@return syncline.loop.Attached|nil attached
---@return string|nil message
---@return string|nil code
function adapter.attach(loop, uv)
    uv = uv or require("luv")
    local descriptor = loop:pollfd()
    if not descriptor then
        return nil, "the loop has no descriptor to watch: libwebsockets' libuv plugin is missing", "usage"
    end
    local poll, timer, prepare = uv.new_poll(descriptor), uv.new_timer(), uv.new_prepare()
    local handles = { poll, timer, prepare }
    local attached = {}

    function attached.stop()
        for _, handle in ipairs(handles) do
            handle:stop()
            handle:close()
        end
        handles = {}
    end

    local function step()
        if handles[1] then loop:step(0) end
    end

    poll:start("r", step)
    -- Just before luv waits, when everything else of this turn has had its say.
    prepare:start(function()
        local seconds = loop:timeout()
        if seconds then
            timer:start(math.ceil(seconds * 1000), 0, step)
        else
            timer:stop()
        end
    end)
    return attached
end

return adapter
