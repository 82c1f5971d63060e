-- syncline permissions: what a user may do with a partition, and which rule says so.

local operator = require("syncline.cli.operator")
local partitions = require("syncline.partition")

local actions = {}

function actions.explain(given)
    operator.words(given, 0, "nothing more")
    local app, user, partition = operator.need(given, "app"), operator.need(given, "user"), operator.need(given, "partition")
    return operator.with(given, function(target)
        operator.print(given, operator.must(target:explain(app, user, partition)), function(result)
            if not result.known then print("there is no such user: asked as for a token without an account") end
            if result.disabled then print("the user is disabled: it cannot connect at all") end
            for _, text in ipairs(result.lines) do print(text) end
        end)
    end)
end

return {
    name = "permissions",
    usage = "permissions explain --app ID --user ID --partition EJSON [OPTIONS]",
    about = "Tells what a user may do with a partition, and which rule says so.",
    options = operator.options({
        { name = "app", value = "ID", help = "id of the app" },
        { name = "user", value = "ID", help = "id of the user" },
        { name = "partition", value = "EJSON", help = partitions.HELP },
    }),
    run = function(given) return operator.dispatch("permissions", actions, given) end,
}
